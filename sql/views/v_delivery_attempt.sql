create or replace view iucore.v_delivery_attempt as
select
    a.position,
    l.event_id,
    l.event_type,
    l.subject,
    a.route,
    a.attempt,
    a.outcome,
    a.error,
    c.worker,
    c.made_at as claimed_at,
    a.made_at
from iucore.delivery_attempt as a
join iucore.event_log as l on l.position = a.position
left join iucore.delivery_cursor as c on c.seq = a.claim;

alter view iucore.v_delivery_attempt owner to iucore_owner;
comment on view iucore.v_delivery_attempt is 'Every attempt to deliver an event.';
revoke all on table iucore.v_delivery_attempt from public;
grant select on table iucore.v_delivery_attempt to iucore_reader, iucore_worker;
