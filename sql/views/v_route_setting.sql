create or replace view iucore.v_route_setting as
select
    r.route,
    r.event_type,
    r.execution_enabled,
    s.change_id,
    s.transport,
    coalesce(s.target, '{}') as target,
    coalesce(s.networks, '{}') as networks,
    s.subject_prefix,
    s.axis,
    s.axis_value,
    coalesce(s.ordered, true) as ordered,
    coalesce(s.partitions, 1::smallint) as partitions,
    coalesce(s.max_attempts, 8::smallint) as max_attempts,
    coalesce(s.backoff_ms, 1000) as backoff_ms,
    coalesce(s.backoff_cap_ms, 300000) as backoff_cap_ms
from iucore.route as r
left join lateral (
    select t.* from iucore.route_setting as t where t.route = r.route order by t.change_id desc limit 1
) as s on true;

alter view iucore.v_route_setting owner to iucore_owner;
comment on view iucore.v_route_setting is 'Every route with how it delivers now; transport is null where nothing was configured.';
revoke all on table iucore.v_route_setting from public;
grant select on table iucore.v_route_setting to iucore_gatekeeper, iucore_worker;
