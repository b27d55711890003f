create table iucore.event_outbox (
    id uuid not null,
    aggregatetype text collate "C" not null,
    aggregateid text collate "C" not null,
    type text collate "C" not null,
    payload jsonb not null,
    event_type text collate "C" not null generated always as (aggregatetype || '.' || type) stored,
    event_subject_ref text collate "C" not null,
    delivery_lane text collate "C" not null,
    change_id bigint not null,
    xid xid8 not null default pg_current_xact_id(),
    actor text not null,
    claimed_actor text,
    created_at timestamptz not null default clock_timestamp(),
    traceparent text,
    slot smallint not null default iucore.fn_iu_slot(),
    constraint pk_event_outbox primary key (id, slot),
    constraint ck_event_outbox_lane check (delivery_lane in ('immediate', 'delayed')),
    constraint ck_event_outbox_slot check ((slot = 0) = (delivery_lane = 'immediate'))
)
partition by list (slot);

-- No foreign key to change: it would lock the row of the change once for each event, and fn_iu_event_put, the only
-- function that inserts here, copies from that row. None to event_type either: a type that is not registered yet takes
-- the lane that loses nothing.

-- The events of a range of transactions, in the order of their ids.
create index idx_event_outbox_window on iucore.event_outbox (xid, id);
-- What happened to one subject, in order.
create index idx_event_outbox_subject on iucore.event_outbox (event_subject_ref, id);
-- What one call said.
create index idx_event_outbox_change on iucore.event_outbox (change_id);

select iucore.fn_iu_make_slots('event_outbox', 0);

-- A fact of the immediate lane is kept once for each subject. On the one partition of that lane: on the parent a unique
-- index would have to hold the slot.
-- squawk-ignore require-concurrent-index-creation
create unique index idx_event_outbox_idempotent on iucore.event_outbox_0 (event_type, event_subject_ref)
    where delivery_lane = 'immediate';

create trigger trg_event_outbox_append_only before update or delete or truncate on iucore.event_outbox
    for each statement execute function iucore.fn_iu_refuse_rewrite();

alter table iucore.event_outbox owner to iucore_owner;
comment on table iucore.event_outbox is 'What happened, for others to hear: appended in the transaction of the change, never altered.';
comment on trigger trg_event_outbox_append_only on iucore.event_outbox is 'Events are never altered or deleted.';
revoke all on table iucore.event_outbox from public;
grant select on table iucore.event_outbox to iucore_worker, iucore_auditor;
comment on column iucore.event_outbox.id is 'UUID version 7, drawn under the lock of the subject: the receiver''s key against duplicates.';
comment on column iucore.event_outbox.aggregatetype is 'What it happened to: unit, collection, gate, ... (Debezium: the topic).';
comment on column iucore.event_outbox.aggregateid is 'The id of the subject (Debezium: the message key).';
comment on column iucore.event_outbox.type is 'What happened (Debezium: the event type header).';
comment on column iucore.event_outbox.payload is 'What a receiver needs to know; never a body.';
comment on column iucore.event_outbox.event_type is 'The registered type: aggregatetype, a dot, type.';
comment on column iucore.event_outbox.event_subject_ref is 'The subject as people call it: an address, a key, a name.';
comment on column iucore.event_outbox.delivery_lane is 'The lane of the type when the event was made.';
comment on column iucore.event_outbox.change_id is 'The call that made it.';
comment on column iucore.event_outbox.xid is 'The transaction that made it.';
comment on column iucore.event_outbox.actor is 'The session user: proven by the connection.';
comment on column iucore.event_outbox.claimed_actor is 'Whom the caller says it acts for: claimed, not proven.';
comment on column iucore.event_outbox.created_at is 'When it was made.';
comment on column iucore.event_outbox.traceparent is 'The W3C trace context of the caller (setting iucore.traceparent).';
comment on column iucore.event_outbox.slot is 'The partition: 0 for the immediate lane, which is kept for ever; else the quarter of the year.';
