create or replace view iucore.v_dead_letter as
select
    d.dead_letter,
    d.route,
    d.position,
    d.event_id,
    d.event_type,
    d.subject,
    d.attempts,
    d.reason,
    d.made_at,
    d.closed_change,
    case when d.closed_change is null then 'open' when c.verb = 'route_replay' then 'replayed' else 'skipped' end as state
from iucore.dead_letter as d
left join iucore.change as c on c.change_id = d.closed_change;

alter view iucore.v_dead_letter owner to iucore_owner;
comment on view iucore.v_dead_letter is 'Events that a route gave up, with the reason; never a payload.';
revoke all on table iucore.v_dead_letter from public;
grant select on table iucore.v_dead_letter to iucore_reader, iucore_worker;
