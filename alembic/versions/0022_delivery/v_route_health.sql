create or replace view iucore.v_route_health as
select
    s.route,
    s.event_type,
    s.transport,
    s.execution_enabled,
    case
        when not s.execution_enabled then 'off'
        when s.transport is null then 'no transport'
        when not g.is_open then 'gate closed'
        else 'ready'
    end as mode,
    case when p.parts > 0 then 'live' else 'dry_run' end as cursor_mode,
    coalesce(c.position, 0) as position,
    w.events as lag_events,
    extract(epoch from clock_timestamp() - w.since)::numeric(14, 3) as lag_seconds,
    r.retries,
    r.deferred,
    d.dead,
    coalesce(c.error, r.error, d.error) as last_error,
    a.made_at as last_batch_at,
    c.resume_at,
    c.worker
from iucore.v_route_setting as s
cross join lateral (select coalesce(bool_or(x.is_open), false) as is_open from iucore.gate as x where x.gate = 'delivery') as g
cross join lateral (select count(*) as parts from iucore.route_partition as x where x.route = s.route) as p
left join lateral (
    -- The part that is furthest behind.
    select n.*
    from (
        select x.partition from iucore.route_partition as x where x.route = s.route
        union
        select 0 where p.parts = 0
    ) as t
    cross join lateral (
        select y.position, y.error, y.resume_at, y.worker, y.made_at
        from iucore.delivery_cursor as y
        where y.route = s.route and y.partition = t.partition
            and y.mode = case when p.parts > 0 then 'live' else 'dry_run' end
        order by y.seq desc
        limit 1
    ) as n
    order by n.position
    limit 1
) as c on true
left join lateral (
    select max(y.made_at) as made_at
    from (
        select z.made_at from iucore.delivery_cursor as z where z.route = s.route order by z.seq desc limit 1
    ) as y
) as a on true
-- Of its type, whatever its filter takes: an upper bound, counted up to 100001.
cross join lateral iucore.fn_iu_route_lag(s.event_type, coalesce(c.position, 0)) as w
cross join lateral (
    select count(*) filter (where x.state <> 'deferred') as retries,
        count(*) filter (where x.state = 'deferred') as deferred,
        (array_agg(x.error order by x.position) filter (where x.error is not null))[1] as error
    from iucore.delivery_retry as x
    where x.route = s.route
) as r
cross join lateral (
    select count(*) as dead, (array_agg(x.reason order by x.dead_letter desc))[1] as error
    from iucore.dead_letter as x
    where x.route = s.route and x.closed_change is null
) as d;

alter view iucore.v_route_health owner to iucore_owner;
comment on view iucore.v_route_health is 'Every route: whether it could send, how far it is behind, what waits and what died.';
revoke all on table iucore.v_route_health from public;
grant select on table iucore.v_route_health to iucore_reader, iucore_worker;
