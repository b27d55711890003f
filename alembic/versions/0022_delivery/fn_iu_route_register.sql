create or replace function iucore.fn_iu_route_register(
    p_route text,
    p_event_type text,
    p_title text,
    p_reason text,
    p_actor text default null,
    p_request_key text default null
)
returns table (
    route text,
    event_type text,
    title text,
    delivery_lane text,
    execution_enabled boolean,
    change_id bigint
)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- A new route for the events of a type, on the lane of the type, or of every type (null); switched off. It begins with what
-- happens from now on. Registering the same again is the same fact and changes nothing.
-- Raises: IU011, IU016, IU017, IU034, IU041, IU100, IU203, IU206.
declare
    v_change record;
    v_lane text;
    v_enabled boolean;
begin
    if p_route is null or p_route collate "C" !~ '^[a-z][a-z0-9_]{0,62}([.][a-z][a-z0-9_]{0,62})*$' then
        raise exception using errcode = 'IU034', message = 'name of a route invalid',
            detail = format('route: %s', coalesce(quote_literal(left(p_route, 140)), 'null')),
            hint = 'Use a lower-case letter followed by a-z 0-9 _, parts joined by dots.';
    end if;
    if iucore.fn_iu_is_reserved(p_route) then
        raise exception using errcode = 'IU034', message = 'name of a route reserved', detail = format('route: %s', p_route),
            hint = 'iucore names the routes of this subject itself; begin with a name of your own.';
    end if;
    perform iucore.fn_iu_assert_title(p_title);
    select t.delivery_lane into v_lane from iucore.event_type as t where t.event_type = p_event_type;
    if not found and p_event_type is not null then
        raise exception using errcode = 'IU041', message = 'event type not registered',
            detail = format('event type: %s', coalesce(quote_literal(left(p_event_type, 140)), 'null')),
            hint = 'List event types with fn_iu_event_type_list (iucore events types), or register it with '
                'fn_iu_event_type_register.';
    end if;
    select o.* into v_change
    from iucore.fn_iu_change_open('route_register', p_route, p_reason, p_actor, p_request_key,
        case when p_request_key is not null then jsonb_build_array(p_route, p_event_type, p_title) end) as o;
    if v_change.replayed is null then
        insert into iucore.route (route, event_type, delivery_lane, title, change_id)
        values (p_route, p_event_type, v_lane, p_title, v_change.change_id)
        on conflict on constraint pk_route do nothing;
        if found then
            insert into iucore.delivery_cursor (route, partition, mode, kind, position, change_id)
            values (p_route, 0, 'dry_run', 'done',
                coalesce((select l.position from iucore.event_log as l order by l.position desc limit 1), 0),
                v_change.change_id);
            perform iucore.fn_iu_event_put('route', 'registered', v_change.change_id, array[p_route], array[p_route],
                array[jsonb_build_object('event_type', p_event_type)]);
        end if;
        select r.execution_enabled into v_enabled from iucore.route as r where r.route = p_route;
        perform iucore.fn_iu_change_close(v_change.change_id, p_request_key, jsonb_build_object('enabled', v_enabled));
    end if;
    return query
    select r.route, r.event_type, r.title, r.delivery_lane,
        coalesce((v_change.replayed ->> 'enabled')::boolean, v_enabled), r.change_id
    from iucore.route as r
    where r.route = p_route and r.event_type is not distinct from p_event_type and r.title = p_title;
    if not found then
        raise exception using errcode = 'IU206', message = 'route is registered with another meaning',
            detail = format('route: %s', p_route), hint = 'Choose another name for the route.';
    end if;
end
$$;

alter function iucore.fn_iu_route_register owner to iucore_owner;
comment on function iucore.fn_iu_route_register is 'Register a route for the events of a type, or of all.';
revoke execute on function iucore.fn_iu_route_register from public;
grant execute on function iucore.fn_iu_route_register to iucore_gatekeeper;
