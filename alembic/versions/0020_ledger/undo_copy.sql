-- Every event back into the table without partitions.
insert into iucore.event_outbox (id, aggregatetype, aggregateid, type, payload, event_subject_ref, delivery_lane, change_id,
    xid, actor, claimed_actor, created_at)
select a.id, a.aggregatetype, a.aggregateid, a.type, a.payload, a.event_subject_ref, a.delivery_lane, a.change_id,
    a.xid, a.actor, a.claimed_actor, a.created_at
from iucore.event_outbox_aside as a;

drop table iucore.event_outbox_aside;
drop function iucore.fn_iu_make_slots;
drop function iucore.fn_iu_slot;
