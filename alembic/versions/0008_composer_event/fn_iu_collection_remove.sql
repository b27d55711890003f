create or replace function iucore.fn_iu_collection_remove(
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
-- Takes a member out. The piece stays; the past of the collection still shows it.
-- Locks: the row of the collection; nesting_guard when the member is a collection.
-- Raises: IU003, IU004, IU016, IU017, IU100, IU101, IU203, IU205.
declare
    v_open record;
    v_member iucore.collection_member;
    v_changed boolean := true;
    v_address text;
begin
    select o.* into v_open
    from iucore.fn_iu_composer_open('collection_remove', p_key, p_reason, p_actor, p_request_key,
        jsonb_build_array(p_key, p_member),
        iucore.fn_iu_is_nested(p_key, p_member)) as o;
    if v_open.replayed is null then
        v_member := iucore.fn_iu_member_find(v_open.collection_id, p_member);
        update iucore.collection_member as m
        set closed_change = v_open.change_id
        where m.row_id = v_member.row_id;
        v_address := iucore.fn_iu_member_address(v_member);
        perform iucore.fn_iu_composer_emit('piece_removed', v_open.collection_id, p_key, v_open.change_id,
            jsonb_build_object('member', v_member.member_id,
                case when v_member.child_id is null then 'piece' else 'collection' end, v_address));
    end if;
    return query
    select r.* from iucore.fn_iu_composer_close(v_open.collection_id, p_key, v_open.change_id, p_request_key,
        v_open.replayed, v_member.member_id, v_address, v_member.pinned_version, v_changed) as r;
end
$$;

alter function iucore.fn_iu_collection_remove owner to iucore_owner;
comment on function iucore.fn_iu_collection_remove is 'Take a member out of a collection.';
revoke execute on function iucore.fn_iu_collection_remove from public;
grant execute on function iucore.fn_iu_collection_remove to iucore_author;
