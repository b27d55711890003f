create or replace function iucore.fn_iu_axis_set(
    p_address text,
    p_axis text,
    p_values text[],
    p_reason text,
    p_actor text default null,
    p_request_key text default null
)
returns table (address text, axis text, value text, opened_change bigint)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- The values of an axis on a piece become exactly these; an empty array takes all away. Returns what then holds.
-- Locks: the row of the piece.
-- Raises: IU001, IU006, IU007, IU016, IU017, IU024, IU100, IU203, IU209.
declare
    v_unit_id uuid;
    v_deleted_change bigint;
    v_change record;
    v_allowed text[];
    v_wrong text;
    v_result jsonb;
    v_closed bigint;
    v_opened bigint;
begin
    select u.unit_id, u.deleted_change into v_unit_id, v_deleted_change
    from iucore.information_unit as u
    where u.address = p_address
    for no key update;
    if not found then
        perform iucore.fn_iu_refuse_unknown_piece(p_address);
    end if;
    select a.axis_values into v_allowed from iucore.axis as a where a.axis = p_axis;
    if not found then
        raise exception using errcode = 'IU006', message = 'axis not registered',
            detail = format('axis: %s', coalesce(quote_literal(left(p_axis, 80)), 'null')),
            hint = 'List axes with fn_iu_axis_list (iucore axis list); register one with fn_iu_axis_register.';
    end if;
    if p_values is null or exists (
        select from unnest(p_values) as v (value) where not iucore.fn_iu_is_name(v.value, 200)
    ) then
        raise exception using errcode = 'IU024', message = 'axis values invalid',
            detail = format('values: %s', coalesce(left(p_values::text, 200), 'null')),
            hint = 'Give an array of lines of 1 to 200 characters; an empty array takes all values away.';
    end if;
    select v.value into v_wrong from unnest(p_values) as v (value) where v.value <> all (v_allowed) limit 1;
    if found then
        raise exception using errcode = 'IU007', message = 'axis value not registered',
            detail = format('axis: %s, value: %s', p_axis, quote_literal(v_wrong)),
            hint = format('Allowed: %s.', array_to_string(v_allowed, ', '));
    end if;
    select o.* into v_change
    from iucore.fn_iu_change_open('axis_set', p_address, p_reason, p_actor, p_request_key,
        case when p_request_key is not null then jsonb_build_array(p_address, p_axis, p_values) end) as o;
    v_result := v_change.replayed;
    if v_result is null then
        if v_deleted_change is not null then
            perform iucore.fn_iu_refuse_deleted_piece(p_address);
        end if;
        update iucore.unit_axis as x
        set closed_change = v_change.change_id
        where x.unit_id = v_unit_id and x.axis = p_axis and x.closed_change is null and x.value <> all (p_values);
        get diagnostics v_closed = row_count;
        insert into iucore.unit_axis (unit_id, axis, value, opened_change)
        select distinct v_unit_id, p_axis, v.value, v_change.change_id
        from unnest(p_values) as v (value)
        where not exists (
            select from iucore.unit_axis as x
            where x.unit_id = v_unit_id and x.axis = p_axis and x.value = v.value and x.closed_change is null
        );
        get diagnostics v_opened = row_count;
        -- A write, so that a second call at REPEATABLE READ fails with 40001 instead of building on its old snapshot.
        update iucore.information_unit as u set head_version = u.head_version where u.unit_id = v_unit_id;
        select coalesce(jsonb_agg(jsonb_build_object('value', x.value, 'opened_change', x.opened_change)), '[]')
        into v_result
        from iucore.unit_axis as x
        where x.unit_id = v_unit_id and x.axis = p_axis and x.closed_change is null;
        if v_closed + v_opened > 0 then
            perform iucore.fn_iu_event_put('unit', 'axes_set', v_change.change_id, array[v_unit_id::text],
                array[p_address], array[jsonb_build_object('axis', p_axis, 'values',
                    (select coalesce(jsonb_agg(distinct v.value), '[]') from unnest(p_values) as v (value)))]);
        end if;
        perform iucore.fn_iu_change_close(v_change.change_id, p_request_key, v_result);
    end if;
    return query
    select p_address, p_axis, r.value, r.opened_change
    from jsonb_to_recordset(v_result) as r (value text, opened_change bigint)
    order by r.value collate "C";
end
$$;

alter function iucore.fn_iu_axis_set owner to iucore_owner;
comment on function iucore.fn_iu_axis_set is 'Set the values of an axis on a piece.';
revoke execute on function iucore.fn_iu_axis_set from public;
grant execute on function iucore.fn_iu_axis_set to iucore_author;
