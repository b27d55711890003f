create or replace function iucore.fn_iu_registry_check()
returns table (code text, subject text, message text, hint text)
language sql
stable
as $$
    -- What is wrong in the registry of event types and routes; no row when nothing is.
    select 'no_route', t.event_type, 'the event type has no route',
        'Register one with fn_iu_route_register (iucore route register).'
    from iucore.event_type as t
    where not exists (select from iucore.route as r where r.event_type = t.event_type or r.event_type is null)
    union all
    select 'delta_on_immediate', t.event_type,
        'each event is a different change, and the immediate lane keeps only the first for each subject',
        'The database was altered by hand: iucore inventory verify.'
    from iucore.event_type as t
    where t.is_delta and t.delivery_lane = 'immediate'
    union all
    select 'lane_differs', r.route, 'the route is not on the lane of its event type',
        'The database was altered by hand: iucore inventory verify.'
    from iucore.route as r
    join iucore.event_type as t on t.event_type = r.event_type
    where t.delivery_lane <> r.delivery_lane
    order by 1, 2
$$;

alter function iucore.fn_iu_registry_check owner to iucore_owner;
comment on function iucore.fn_iu_registry_check is 'What is wrong in the registry of event types and routes.';
revoke execute on function iucore.fn_iu_registry_check from public;
grant execute on function iucore.fn_iu_registry_check to iucore_reader;
