create or replace function iucore.fn_iu_restore(
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
-- Brings a soft-deleted piece back: in every collection at the place where its membership stands. Returns the number of
-- places in which it stands again; where a member was removed meanwhile, it stays removed.
-- Locks: the row of the piece.
-- Raises: IU001, IU016, IU017, IU100, IU203, IU210.
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
    from iucore.fn_iu_change_open('restore', p_address, p_reason, p_actor, p_request_key,
        case when p_request_key is not null then jsonb_build_array(p_address) end) as o;
    if v_change.replayed is null then
        if v_unit.deleted_change is null then
            raise exception using errcode = 'IU210', message = 'piece is not soft-deleted',
                detail = format('address: %s', p_address),
                hint = 'Nothing is to restore; look at the piece with fn_iu_show (iucore piece show).';
        end if;
        update iucore.information_unit as u set deleted_change = null where u.unit_id = v_unit.unit_id;
        update iucore.unit_deletion as d
        set restored_change = v_change.change_id
        where d.unit_id = v_unit.unit_id and d.restored_change is null;
        select count(*) into v_places
        from iucore.collection_member as m
        where m.unit_id = v_unit.unit_id and m.closed_change is null;
        perform iucore.fn_iu_event_put('unit', 'restored', v_change.change_id, array[v_unit.unit_id::text], array[p_address],
            array[jsonb_build_object('version', v_unit.head_version, 'places', v_places)]);
        perform iucore.fn_iu_change_close(v_change.change_id, p_request_key,
            jsonb_build_object('version', v_unit.head_version, 'places', v_places));
    end if;
    return query
    select v_unit.unit_id, p_address, coalesce((v_change.replayed ->> 'version')::bigint, v_unit.head_version),
        v.lifecycle, coalesce((v_change.replayed ->> 'places')::bigint, v_places), v_change.change_id, true
    from iucore.unit_version as v
    where v.unit_id = v_unit.unit_id
        and v.version = coalesce((v_change.replayed ->> 'version')::bigint, v_unit.head_version);
end
$$;

alter function iucore.fn_iu_restore owner to iucore_owner;
comment on function iucore.fn_iu_restore is 'Bring a soft-deleted piece back to where it stood.';
revoke execute on function iucore.fn_iu_restore from public;
grant execute on function iucore.fn_iu_restore to iucore_operator;
