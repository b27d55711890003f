create table iucore.sequencer_batch (
    batch bigint generated always as identity not null,
    system_identifier bigint not null,
    seen pg_snapshot not null,
    window_end pg_snapshot,
    last_event_id uuid,
    position bigint not null,
    hash bytea not null,
    rebased_xid xid8,
    change_id bigint,
    made_at timestamptz not null default clock_timestamp(),
    slot smallint not null default iucore.fn_iu_slot(),
    constraint pk_sequencer_batch primary key (batch, slot),
    constraint ck_sequencer_batch_window check ((window_end is null) = (last_event_id is null))
)
partition by list (slot);

select iucore.fn_iu_make_slots('sequencer_batch', 1);

create trigger trg_sequencer_batch_append_only before update or delete or truncate on iucore.sequencer_batch
    for each statement execute function iucore.fn_iu_refuse_rewrite();

alter table iucore.sequencer_batch owner to iucore_owner;
comment on table iucore.sequencer_batch is 'Where the sequencer stands: the newest row. Appended with each batch, never altered.';
comment on trigger trg_sequencer_batch_append_only on iucore.sequencer_batch is 'The state of the sequencer is only appended.';
revoke all on table iucore.sequencer_batch from public;
grant select on table iucore.sequencer_batch to iucore_worker, iucore_auditor;
comment on column iucore.sequencer_batch.batch is 'Counts the batches.';
comment on column iucore.sequencer_batch.system_identifier is 'The cluster in which the snapshots mean something.';
comment on column iucore.sequencer_batch.seen is 'All that this snapshot sees is in the ledger.';
comment on column iucore.sequencer_batch.window_end is 'The snapshot up to which a window is being read that was too large for one batch.';
comment on column iucore.sequencer_batch.last_event_id is 'The last event of that window that is in the ledger.';
comment on column iucore.sequencer_batch.position is 'The last position of the ledger.';
comment on column iucore.sequencer_batch.hash is 'Its hash.';
comment on column iucore.sequencer_batch.rebased_xid is 'Rows of another cluster have transaction ids up to this one: below it the ledger is asked for each event.';
comment on column iucore.sequencer_batch.change_id is 'The call that rebased it; null for a batch.';
comment on column iucore.sequencer_batch.made_at is 'When.';
comment on column iucore.sequencer_batch.slot is 'The partition: the quarter of the year.';
