create or replace function iucore.fn_iu_soft_delete(
    p_address text,
    p_reason text,
    p_actor text default null,
    p_request_key text default null
)
returns table (
    unit_id uuid,
    address text,
    version bigint,
    lifecycle text,
    places bigint,
    change_id bigint,
    changed boolean
)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Takes a piece out of every render and list of members, now and until it is restored. Its memberships stand, with their
-- places and pins; its versions and the past of every collection stay. It cannot be edited, cloned or added meanwhile, and
-- its address stays taken. Returns the number of places in which it stood.
-- Locks: the row of the piece.
-- Raises: IU001, IU016, IU017, IU100, IU203, IU209.
declare
    v_unit record;
    v_change record;
    v_places bigint;
begin
    select u.unit_id, u.head_version, u.deleted_change into v_unit
    from iucore.information_unit as u
    where u.address = p_address
    for no key update;
    if not found then
        perform iucore.fn_iu_refuse_unknown_piece(p_address);
    end if;
    select o.* into v_change
    from iucore.fn_iu_change_open('soft_delete', p_address, p_reason, p_actor, p_request_key,
        case when p_request_key is not null then jsonb_build_array(p_address) end) as o;
    if v_change.replayed is null then
        if v_unit.deleted_change is not null then
            perform iucore.fn_iu_refuse_deleted_piece(p_address);
        end if;
        update iucore.information_unit as u set deleted_change = v_change.change_id where u.unit_id = v_unit.unit_id;
        insert into iucore.unit_deletion (unit_id, deleted_change) values (v_unit.unit_id, v_change.change_id);
        select count(*) into v_places
        from iucore.collection_member as m
        where m.unit_id = v_unit.unit_id and m.closed_change is null;
        perform iucore.fn_iu_event_put('unit', 'soft_deleted', v_change.change_id, array[v_unit.unit_id::text], array[p_address],
            array[jsonb_build_object('version', v_unit.head_version, 'places', v_places)]);
        perform iucore.fn_iu_change_close(v_change.change_id, p_request_key,
            jsonb_build_object('version', v_unit.head_version, 'places', v_places));
    end if;
    return query
    select v_unit.unit_id, p_address, coalesce((v_change.replayed ->> 'version')::bigint, v_unit.head_version),
        'soft_deleted', coalesce((v_change.replayed ->> 'places')::bigint, v_places), v_change.change_id, true
    from iucore.unit_version as v
    where v.unit_id = v_unit.unit_id
        and v.version = coalesce((v_change.replayed ->> 'version')::bigint, v_unit.head_version);
end
$$;

alter function iucore.fn_iu_soft_delete owner to iucore_owner;
comment on function iucore.fn_iu_soft_delete is 'Take a piece out of every render, until it is restored.';
revoke execute on function iucore.fn_iu_soft_delete from public;
grant execute on function iucore.fn_iu_soft_delete to iucore_operator;
