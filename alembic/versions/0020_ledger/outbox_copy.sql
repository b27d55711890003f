-- Every event, as it was; the quarter is that in which it was made.
insert into iucore.event_outbox (id, aggregatetype, aggregateid, type, payload, event_subject_ref, delivery_lane, change_id,
    xid, actor, claimed_actor, created_at, slot)
select a.id, a.aggregatetype, a.aggregateid, a.type, a.payload, a.event_subject_ref, a.delivery_lane, a.change_id,
    a.xid, a.actor, a.claimed_actor, a.created_at,
    case a.delivery_lane when 'immediate' then 0
        else date_part('quarter', a.created_at at time zone 'UTC') end::smallint
from iucore.event_outbox_aside as a;

analyze iucore.event_outbox;
