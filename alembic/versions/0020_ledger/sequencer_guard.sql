create table iucore.sequencer_guard (
    singleton boolean not null,
    constraint pk_sequencer_guard primary key (singleton),
    constraint ck_sequencer_guard_singleton check (singleton)
);

alter table iucore.sequencer_guard owner to iucore_owner;
comment on table iucore.sequencer_guard is 'A table without rows: whoever sequences holds its lock. An advisory lock could be held by anybody who may connect.';
revoke all on table iucore.sequencer_guard from public;
comment on column iucore.sequencer_guard.singleton is 'There is no row.';
