create or replace function iucore.fn_iu_collection_replace(
    p_key text,
    p_member text,
    p_piece text,
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
-- Puts another piece (floating, or pinned to p_version) at the place of a member, which keeps its number.
-- Locks: the row of the collection; nesting_guard when the member is a collection.
-- Raises: IU001, IU002, IU003, IU004, IU016, IU017, IU100, IU101, IU203, IU205, IU209.
declare
    v_open record;
    v_member iucore.collection_member;
    v_changed boolean := true;
    v_address text;
    v_was text;
begin
    select o.* into v_open
    from iucore.fn_iu_composer_open('collection_replace', p_key, p_reason, p_actor, p_request_key,
        jsonb_build_array(p_key, p_member, p_piece, p_version),
        iucore.fn_iu_is_nested(p_key, p_member)) as o;
    if v_open.replayed is null then
        v_member := iucore.fn_iu_member_find(v_open.collection_id, p_member);
        v_changed := (v_member.unit_id, v_member.pinned_version)
            is distinct from (iucore.fn_iu_unit_id(p_piece), p_version);
        v_was := iucore.fn_iu_member_address(v_member);
        if v_changed then
            v_member.unit_id := iucore.fn_iu_unit_usable(p_piece, p_version);
            v_member.child_id := null;
            v_member.pinned_version := p_version;
            perform iucore.fn_iu_member_put(v_member, v_open.change_id);
        end if;
        v_address := iucore.fn_iu_member_address(v_member);
        if v_changed then
            perform iucore.fn_iu_composer_emit('piece_replaced', v_open.collection_id, p_key, v_open.change_id,
                jsonb_strip_nulls(jsonb_build_object('member', v_member.member_id, 'piece', v_address, 'was', v_was,
                    'version', p_version)));
        end if;
    end if;
    return query
    select r.* from iucore.fn_iu_composer_close(v_open.collection_id, p_key, v_open.change_id, p_request_key,
        v_open.replayed, v_member.member_id, v_address, v_member.pinned_version, v_changed) as r;
end
$$;

alter function iucore.fn_iu_collection_replace owner to iucore_owner;
comment on function iucore.fn_iu_collection_replace is 'Put another piece at the place of a member.';
revoke execute on function iucore.fn_iu_collection_replace from public;
grant execute on function iucore.fn_iu_collection_replace to iucore_author;
