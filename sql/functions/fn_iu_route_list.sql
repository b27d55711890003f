create or replace function iucore.fn_iu_route_list()
returns table (
    route text,
    event_type text,
    title text,
    delivery_lane text,
    execution_enabled boolean,
    change_id bigint,
    switched_change bigint
)
language sql
stable
as $$
    -- The registry of routes, by name; change_id is null for a route that came with iucore.
    select r.route, r.event_type, r.title, r.delivery_lane, r.execution_enabled, r.change_id, r.switched_change
    from iucore.route as r
    order by r.route
$$;

alter function iucore.fn_iu_route_list owner to iucore_owner;
comment on function iucore.fn_iu_route_list is 'The registry of routes.';
revoke execute on function iucore.fn_iu_route_list from public;
grant execute on function iucore.fn_iu_route_list to iucore_reader;
