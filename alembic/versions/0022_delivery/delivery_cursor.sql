create table iucore.delivery_cursor (
    seq bigint generated always as identity not null,
    route text collate "C" not null,
    partition smallint not null,
    mode text collate "C" not null,
    kind text collate "C" not null,
    position bigint not null,
    upto bigint,
    positions bigint[],
    deferred bigint[],
    source text collate "C",
    worker text,
    expires_at timestamptz,
    resume_at timestamptz,
    failures integer not null default 0,
    error text,
    change_id bigint,
    made_at timestamptz not null default clock_timestamp(),
    slot smallint not null default iucore.fn_iu_slot(),
    constraint pk_delivery_cursor primary key (seq, slot),
    constraint ck_delivery_cursor_mode check (mode in ('live', 'dry_run')),
    constraint ck_delivery_cursor_kind check (
        (kind = 'done' and upto is null and positions is null and deferred is null and source is null and expires_at is null)
        or (kind = 'claim' and upto >= position and positions is not null and source in ('log', 'retry')
            and expires_at is not null)
    )
)
partition by list (slot);

-- Where a route stands: its newest row.
create index idx_delivery_cursor_route on iucore.delivery_cursor (route, partition, mode, seq);

select iucore.fn_iu_make_slots('delivery_cursor', 1);

create trigger trg_delivery_cursor_append_only before update or delete or truncate on iucore.delivery_cursor
    for each statement execute function iucore.fn_iu_refuse_rewrite();

alter table iucore.delivery_cursor owner to iucore_owner;
comment on table iucore.delivery_cursor is 'Where each route stands, and who has it: the newest row. A claim is a lease, its number the fencing token.';
comment on trigger trg_delivery_cursor_append_only on iucore.delivery_cursor is 'Cursors are only appended.';
revoke all on table iucore.delivery_cursor from public;
grant select on table iucore.delivery_cursor to iucore_reader, iucore_worker;
comment on column iucore.delivery_cursor.seq is 'Counts the rows; of a claim the fencing token.';
comment on column iucore.delivery_cursor.route is 'The route.';
comment on column iucore.delivery_cursor.partition is 'Its part.';
comment on column iucore.delivery_cursor.mode is 'live: what was sent; dry_run: what would have been.';
comment on column iucore.delivery_cursor.kind is 'claim: a worker has a batch; done: it is recorded.';
comment on column iucore.delivery_cursor.position is 'All events up to here are dealt with.';
comment on column iucore.delivery_cursor.upto is 'Of a claim: where the batch ends.';
comment on column iucore.delivery_cursor.positions is 'Of a claim: the events that were handed out.';
comment on column iucore.delivery_cursor.deferred is 'Of a claim: events of its window that are put aside when it is recorded, behind one of their subject that waits.';
comment on column iucore.delivery_cursor.source is 'Of a claim: log or retry.';
comment on column iucore.delivery_cursor.worker is 'Who.';
comment on column iucore.delivery_cursor.expires_at is 'Of a claim: until when.';
comment on column iucore.delivery_cursor.resume_at is 'The target was unavailable: nothing is taken before.';
comment on column iucore.delivery_cursor.failures is 'How often in a row it was unavailable.';
comment on column iucore.delivery_cursor.error is 'What it said.';
comment on column iucore.delivery_cursor.change_id is 'The call that moved it; null for a worker.';
comment on column iucore.delivery_cursor.made_at is 'When.';
comment on column iucore.delivery_cursor.slot is 'The partition: the quarter of the year.';
