create table iucore.event_log (
    position bigint not null,
    event_id uuid not null,
    event_type text collate "C" not null,
    aggregatetype text collate "C" not null,
    aggregateid text collate "C" not null,
    subject text collate "C" not null,
    delivery_lane text collate "C" not null,
    payload jsonb not null,
    change_id bigint not null,
    actor text not null,
    claimed_actor text,
    traceparent text,
    created_at timestamptz not null,
    sequenced_at timestamptz not null default clock_timestamp(),
    hash bytea not null,
    slot smallint not null,
    constraint pk_event_log primary key (position, slot)
)
partition by list (slot);

-- A copy of the event, not a reference: readers take ranges of positions, and a lookup for each event costs them four times
-- as much. fn_iu_ledger_verify compares the two.

-- The events of one type, in order.
create index idx_event_log_type on iucore.event_log (event_type, position);
-- The position of an event.
create index idx_event_log_event on iucore.event_log (event_id);

select iucore.fn_iu_make_slots('event_log', 0);

create trigger trg_event_log_append_only before update or delete or truncate on iucore.event_log
    for each statement execute function iucore.fn_iu_refuse_rewrite();

alter table iucore.event_log owner to iucore_owner;
comment on table iucore.event_log is 'The ledger: every event in its place, each with a hash that holds all before it.';
comment on trigger trg_event_log_append_only on iucore.event_log is 'The ledger is never altered.';
revoke all on table iucore.event_log from public;
grant select on table iucore.event_log to iucore_reader, iucore_worker;
comment on column iucore.event_log.position is 'Its place: counted from 1, without gap.';
comment on column iucore.event_log.event_id is 'The id of the event in the outbox.';
comment on column iucore.event_log.event_type is 'The registered type.';
comment on column iucore.event_log.aggregatetype is 'What it happened to.';
comment on column iucore.event_log.aggregateid is 'The id of the subject.';
comment on column iucore.event_log.subject is 'The subject as people call it.';
comment on column iucore.event_log.delivery_lane is 'The lane of the type when the event was made.';
comment on column iucore.event_log.payload is 'What a receiver needs to know; never a body.';
comment on column iucore.event_log.change_id is 'The call that made it.';
comment on column iucore.event_log.actor is 'The session user of the call.';
comment on column iucore.event_log.claimed_actor is 'Whom the caller said it acts for.';
comment on column iucore.event_log.traceparent is 'The W3C trace context of the caller, when it gave one.';
comment on column iucore.event_log.created_at is 'When it was made.';
comment on column iucore.event_log.sequenced_at is 'When it got its place.';
comment on column iucore.event_log.hash is 'sha256 of the hash before it and of the event with its place.';
comment on column iucore.event_log.slot is 'The partition: that of the event in the outbox.';
