create table iucore.nesting_guard (
    singleton boolean not null,
    generation bigint not null,
    constraint pk_nesting_guard primary key (singleton),
    constraint ck_nesting_guard_singleton check (singleton)
);
insert into iucore.nesting_guard (singleton, generation) values (true, 0);

alter table iucore.nesting_guard owner to iucore_owner;
comment on table iucore.nesting_guard is 'One row that every change of nesting updates, so that two of them never overlap.';
revoke all on table iucore.nesting_guard from public;
grant select on table iucore.nesting_guard to iucore_reader;
comment on column iucore.nesting_guard.singleton is 'There is one row.';
comment on column iucore.nesting_guard.generation is 'Counts the changes of nesting. A lock alone is not enough: at REPEATABLE READ the second session would still look at its old snapshot; an update makes it fail with 40001 instead.';
