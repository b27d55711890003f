create or replace function iucore.fn_iu_route_set(
    p_route text,
    p_enabled boolean,
    p_reason text,
    p_actor text default null,
    p_request_key text default null
)
returns table (route text, execution_enabled boolean, change_id bigint, changed boolean)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Switches a route on or off. Every call is recorded; one that finds the route as asked returns changed = false. When it is
-- on and configured for the first time, it sends what happens from then on.
-- Locks: the row of the route.
-- Raises: IU016, IU017, IU037, IU042, IU100, IU203.
declare
    v_enabled boolean;
    v_change record;
begin
    if p_enabled is null then
        raise exception using errcode = 'IU037', message = 'state of a switch missing', detail = 'enabled: null',
            hint = 'Give true to switch the route on, false to switch it off.';
    end if;
    select r.execution_enabled into v_enabled from iucore.route as r where r.route = p_route for no key update;
    if not found then
        raise exception using errcode = 'IU042', message = 'route not found',
            detail = format('route: %s', coalesce(quote_literal(left(p_route, 140)), 'null')),
            hint = 'List routes with fn_iu_route_list (iucore route list).';
    end if;
    select o.* into v_change
    from iucore.fn_iu_change_open('route_set', p_route, p_reason, p_actor, p_request_key,
        case when p_request_key is not null then jsonb_build_array(p_route, p_enabled) end) as o;
    route := p_route;
    execution_enabled := p_enabled;
    change_id := v_change.change_id;
    changed := coalesce((v_change.replayed ->> 'changed')::boolean, v_enabled <> p_enabled);
    if v_change.replayed is null then
        if changed then
            update iucore.route as r
            set execution_enabled = p_enabled, switched_change = v_change.change_id
            where r.route = p_route;
            insert into iucore.route_switch (change_id, route, execution_enabled)
            values (v_change.change_id, p_route, p_enabled);
            perform iucore.fn_iu_route_arm(p_route, v_change.change_id);
            perform iucore.fn_iu_event_put('route', 'switched', v_change.change_id, array[p_route], array[p_route],
                array[jsonb_build_object('enabled', p_enabled)]);
        end if;
        perform iucore.fn_iu_change_close(v_change.change_id, p_request_key, jsonb_build_object('changed', changed));
    end if;
    return next;
end
$$;

alter function iucore.fn_iu_route_set owner to iucore_owner;
comment on function iucore.fn_iu_route_set is 'Switch a route on or off.';
revoke execute on function iucore.fn_iu_route_set from public;
grant execute on function iucore.fn_iu_route_set to iucore_gatekeeper;
