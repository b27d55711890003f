-- Without a default and without a foreign key: no row is written or read, the lock is held for a moment.
alter table iucore.information_unit add column deleted_change bigint;
comment on column iucore.information_unit.deleted_change is 'The call that soft-deleted it; null while it is not. Kept here so that a render needs no search for it.';
