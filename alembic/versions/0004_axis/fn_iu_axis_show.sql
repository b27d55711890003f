create or replace function iucore.fn_iu_axis_show(p_address text)
returns table (address text, axis text, value text, opened_change bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- The values of all axes on a piece.
-- Raises: IU001.
declare
    v_unit_id uuid := iucore.fn_iu_unit_id(p_address);
begin
    return query
    select p_address, x.axis, x.value, x.opened_change
    from iucore.unit_axis as x
    where x.unit_id = v_unit_id and x.closed_change is null
    order by x.axis, x.value;
end
$$;

alter function iucore.fn_iu_axis_show owner to iucore_owner;
comment on function iucore.fn_iu_axis_show is 'The values of all axes on a piece.';
revoke execute on function iucore.fn_iu_axis_show from public;
grant execute on function iucore.fn_iu_axis_show to iucore_reader;
