create or replace function iucore.fn_iu_delivery_dry_run(
    p_worker text,
    p_routes text[] default null,
    p_live boolean default false,
    p_limit integer default 1000
)
returns table (route text, recorded bigint, upto bigint, remaining boolean)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
as $$
-- Records for each route that may not send what it would have sent: one attempt dry_run an event. It moves a cursor of its
-- own: what was not sent is still sent when the three switches are on. One row for each route that moved.
-- p_live false: no route may send.
-- Locks: the row of each route that has events (it skips one that another worker has).
-- Raises: IU017, IU038, IU054.
declare
    v_route record;
    v_found record;
    v_at bigint;
begin
    perform iucore.fn_iu_assert_read_committed();
    if not iucore.fn_iu_is_name(p_worker, 200) then
        raise exception using errcode = 'IU017', message = 'name of a worker invalid',
            detail = format('worker: %s', coalesce(quote_literal(left(p_worker, 80)), 'null')),
            hint = 'Give one line of 1 to 200 characters.';
    end if;
    if p_limit is null or p_limit not between 1 and 10000 then
        raise exception using errcode = 'IU054', message = 'size of a batch invalid',
            detail = format('limit: %s', coalesce(p_limit::text, 'null')), hint = 'Give 1 to 10000 events.';
    end if;
    for v_route in
        select s.route
        from iucore.v_route_setting as s
        where (p_routes is null or s.route = any(p_routes))
            and not (
                coalesce(p_live, false) and s.execution_enabled and s.transport is not null
                and exists (select from iucore.gate as g where g.gate = 'delivery' and g.is_open)
            )
        order by s.route
    loop
        -- First without the lock.
        v_at := iucore.fn_iu_dry_run_position(v_route.route);
        select f.* into v_found from iucore.fn_iu_route_positions(v_route.route, null, v_at, p_limit) as f;
        continue when v_found.positions is null and v_found.upto - v_at < 5000;
        perform from iucore.route as r where r.route = v_route.route for no key update skip locked;
        continue when not found;
        v_at := iucore.fn_iu_dry_run_position(v_route.route);
        select f.* into v_found from iucore.fn_iu_route_positions(v_route.route, null, v_at, p_limit) as f;
        continue when v_found.positions is null and v_found.upto - v_at < 5000;
        insert into iucore.delivery_attempt (position, route, attempt, outcome)
        select d.position, v_route.route, 0, 'dry_run' from unnest(v_found.positions) as d (position);
        insert into iucore.delivery_cursor (route, partition, mode, kind, position, worker)
        values (v_route.route, 0, 'dry_run', 'done', v_found.upto, p_worker);
        route := v_route.route;
        recorded := coalesce(cardinality(v_found.positions), 0)::bigint;
        upto := v_found.upto;
        remaining := recorded = p_limit or recorded = 0;
        return next;
    end loop;
end
$$;

alter function iucore.fn_iu_delivery_dry_run owner to iucore_owner;
comment on function iucore.fn_iu_delivery_dry_run is 'Record what routes would have sent.';
revoke execute on function iucore.fn_iu_delivery_dry_run from public;
grant execute on function iucore.fn_iu_delivery_dry_run to iucore_worker;
