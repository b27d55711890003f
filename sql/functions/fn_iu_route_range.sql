create or replace function iucore.fn_iu_route_range(
    p_route text,
    p_after bigint,
    p_last bigint,
    p_limit integer
)
returns table (positions bigint[])
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- The events of a route between two positions, at most p_limit. Internal.
declare
    v_at bigint := p_after;
    v_found record;
begin
    positions := '{}';
    while v_at < p_last and cardinality(positions) < p_limit loop
        select f.* into v_found
        from iucore.fn_iu_route_positions(p_route, null, v_at, p_limit - cardinality(positions)) as f;
        positions := positions || array(select n from unnest(v_found.positions) as n where n <= p_last);
        exit when v_found.upto <= v_at;
        v_at := v_found.upto;
    end loop;
    return next;
end
$$;

alter function iucore.fn_iu_route_range owner to iucore_owner;
comment on function iucore.fn_iu_route_range is 'The events of a route between two positions.';
revoke execute on function iucore.fn_iu_route_range from public;
