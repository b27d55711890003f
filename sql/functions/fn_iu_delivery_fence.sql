create or replace function iucore.fn_iu_delivery_fence(
    p_route text,
    p_positions bigint[],
    p_change_id bigint
)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- Ends every claim of a route that holds one of the positions, without recording it: its worker is refused (IU219). Returns
-- how many of them come again with the log. Internal: called with the parts locked.
declare
    v_again bigint;
begin
    select count(*) into v_again
    from iucore.v_route_part as p
    cross join lateral unnest(p.positions) as x (position)
    where p.route = p_route and p.source = 'log' and x.position = any(p_positions);
    insert into iucore.delivery_cursor (route, partition, mode, kind, position, failures, change_id)
    select p.route, p.partition, 'live', 'done', p.position, p.failures, p_change_id
    from iucore.v_route_part as p
    where p.route = p_route and p.kind = 'claim' and p.positions && p_positions
    order by p.partition;
    return v_again;
end
$$;

alter function iucore.fn_iu_delivery_fence owner to iucore_owner;
comment on function iucore.fn_iu_delivery_fence is 'End the claims of a route that hold one of some positions.';
revoke execute on function iucore.fn_iu_delivery_fence from public;
