create or replace view iucore.v_event as
select
    e.id as event_id,
    e.event_type,
    e.aggregatetype,
    e.aggregateid,
    e.event_subject_ref as subject,
    e.delivery_lane,
    e.payload,
    e.change_id,
    e.actor,
    e.claimed_actor,
    e.created_at
from iucore.event_outbox as e;

alter view iucore.v_event owner to iucore_owner;
comment on view iucore.v_event is 'Every event.';
revoke all on table iucore.v_event from public;
grant select on table iucore.v_event to iucore_reader;
