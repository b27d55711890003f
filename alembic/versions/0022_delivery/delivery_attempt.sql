create table iucore.delivery_attempt (
    position bigint not null,
    route text collate "C" not null,
    attempt smallint not null,
    outcome text collate "C" not null,
    claim bigint,
    error text,
    made_at timestamptz not null default clock_timestamp(),
    slot smallint not null default iucore.fn_iu_slot(),
    constraint ck_delivery_attempt_outcome check (outcome in ('sent', 'failed', 'lost', 'dry_run', 'skipped'))
)
partition by list (slot);

-- No key: an event may be replayed. No foreign key to the log: an attempt costs one insert.
create index idx_delivery_attempt_position on iucore.delivery_attempt (position);

select iucore.fn_iu_make_slots('delivery_attempt', 1);

create trigger trg_delivery_attempt_append_only before update or delete or truncate on iucore.delivery_attempt
    for each statement execute function iucore.fn_iu_refuse_rewrite();

alter table iucore.delivery_attempt owner to iucore_owner;
comment on table iucore.delivery_attempt is 'Every attempt to deliver an event: appended, never altered.';
comment on trigger trg_delivery_attempt_append_only on iucore.delivery_attempt is 'Attempts are only appended.';
revoke all on table iucore.delivery_attempt from public;
grant select on table iucore.delivery_attempt to iucore_worker;
comment on column iucore.delivery_attempt.position is 'The event.';
comment on column iucore.delivery_attempt.route is 'The route.';
comment on column iucore.delivery_attempt.attempt is 'Counted from 1; 0 for a dry run or a skip.';
comment on column iucore.delivery_attempt.outcome is 'sent; failed; lost: the worker died or lost its lease before it recorded; dry_run: not handed to a transport; skipped: given up by a gatekeeper.';
comment on column iucore.delivery_attempt.claim is 'The batch: a row of delivery_cursor.';
comment on column iucore.delivery_attempt.error is 'Why it failed, without secrets or payload.';
comment on column iucore.delivery_attempt.made_at is 'When it was recorded.';
comment on column iucore.delivery_attempt.slot is 'The partition: the quarter of the year.';
