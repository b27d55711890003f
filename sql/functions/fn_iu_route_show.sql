create or replace function iucore.fn_iu_route_show(p_route text)
returns table (route text, event_type text, title text, delivery_lane text, execution_enabled boolean, transport text,
    target jsonb, networks text[], subject_prefix text, axis text, axis_value text, ordered boolean, partitions smallint,
    max_attempts smallint, backoff_ms integer, backoff_cap_ms integer, setting_change bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- A route and how it delivers; event_type is null when it takes every type, transport when nothing was configured.
-- Raises: IU042.
begin
    return query
    select r.route, r.event_type, r.title, r.delivery_lane, r.execution_enabled, s.transport, s.target, s.networks,
        s.subject_prefix, s.axis, s.axis_value, s.ordered, s.partitions, s.max_attempts, s.backoff_ms, s.backoff_cap_ms,
        s.change_id
    from iucore.route as r
    join iucore.v_route_setting as s on s.route = r.route
    where r.route = p_route;
    if not found then
        raise exception using errcode = 'IU042', message = 'route not found',
            detail = format('route: %s', coalesce(quote_literal(left(p_route, 140)), 'null')),
            hint = 'List routes with fn_iu_route_list (iucore route list).';
    end if;
end
$$;

alter function iucore.fn_iu_route_show owner to iucore_owner;
comment on function iucore.fn_iu_route_show is 'A route and how it delivers.';
revoke execute on function iucore.fn_iu_route_show from public;
grant execute on function iucore.fn_iu_route_show to iucore_gatekeeper, iucore_worker;
