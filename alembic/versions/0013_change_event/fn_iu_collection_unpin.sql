create or replace function iucore.fn_iu_collection_unpin(
    p_key text,
    p_member text,
    p_reason text,
    p_actor text default null,
    p_request_key text default null
)
returns table (
    collection_id uuid,
    key text,
    member_id bigint,
    address text,
    pinned_version bigint,
    change_id bigint,
    changed boolean
)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Lets a member show the head again.
-- Locks: the row of the collection.
-- Raises: IU003, IU004, IU016, IU017, IU100, IU101, IU203, IU205.
declare
    v_open record;
    v_member iucore.collection_member;
    v_changed boolean := true;
    v_address text;
begin
    select o.* into v_open
    from iucore.fn_iu_composer_open('collection_unpin', p_key, p_reason, p_actor, p_request_key,
        jsonb_build_array(p_key, p_member)) as o;
    if v_open.replayed is null then
        v_member := iucore.fn_iu_member_find(v_open.collection_id, p_member);
        v_changed := v_member.pinned_version is not null;
        if v_changed then
            v_member.pinned_version := null;
            perform iucore.fn_iu_member_put(v_member, v_open.change_id);
        end if;
        v_address := iucore.fn_iu_member_address(v_member);
        if v_changed then
            perform iucore.fn_iu_composer_emit('piece_unpinned', v_open.collection_id, p_key, v_open.change_id,
                jsonb_build_object('member', v_member.member_id, 'piece', v_address));
        end if;
    end if;
    return query
    select r.* from iucore.fn_iu_composer_close(v_open.collection_id, p_key, v_open.change_id, p_request_key,
        v_open.replayed, v_member.member_id, v_address, v_member.pinned_version, v_changed) as r;
end
$$;

alter function iucore.fn_iu_collection_unpin owner to iucore_owner;
comment on function iucore.fn_iu_collection_unpin is 'Let a member float: show the head of its piece.';
revoke execute on function iucore.fn_iu_collection_unpin from public;
grant execute on function iucore.fn_iu_collection_unpin to iucore_author;
