create or replace function iucore.fn_iu_collection_pin(
    p_key text,
    p_member text,
    p_reason text,
    p_version bigint default null,
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
-- Pins a member to a version (null: the head of now).
-- Locks: the row of the collection.
-- Raises: IU002, IU003, IU004, IU016, IU017, IU019 (a collection cannot be pinned), IU100, IU101, IU203,
-- IU205.
declare
    v_open record;
    v_member iucore.collection_member;
    v_changed boolean := true;
    v_address text;
begin
    select o.* into v_open
    from iucore.fn_iu_composer_open('collection_pin', p_key, p_reason, p_actor, p_request_key,
        jsonb_build_array(p_key, p_member, p_version)) as o;
    if v_open.replayed is null then
        v_member := iucore.fn_iu_member_find(v_open.collection_id, p_member);
        if v_member.unit_id is null then
            raise exception using errcode = 'IU019', message = 'a collection cannot be pinned',
                detail = format('member: %s', p_member), hint = 'Pin the pieces inside it.';
        end if;
        select s.version, s.version is distinct from v_member.pinned_version
        into v_member.pinned_version, v_changed
        from iucore.fn_iu_show(iucore.fn_iu_member_address(v_member), p_version) as s;
        if v_changed then
            perform iucore.fn_iu_member_put(v_member, v_open.change_id);
        end if;
        v_address := iucore.fn_iu_member_address(v_member);
        if v_changed then
            perform iucore.fn_iu_composer_emit('piece_pinned', v_open.collection_id, p_key, v_open.change_id,
                jsonb_build_object('member', v_member.member_id, 'piece', v_address, 'version', v_member.pinned_version));
        end if;
    end if;
    return query
    select r.* from iucore.fn_iu_composer_close(v_open.collection_id, p_key, v_open.change_id, p_request_key,
        v_open.replayed, v_member.member_id, v_address, v_member.pinned_version, v_changed) as r;
end
$$;

alter function iucore.fn_iu_collection_pin owner to iucore_owner;
comment on function iucore.fn_iu_collection_pin is 'Show one version of a piece, whatever its head becomes.';
revoke execute on function iucore.fn_iu_collection_pin from public;
grant execute on function iucore.fn_iu_collection_pin to iucore_author;
