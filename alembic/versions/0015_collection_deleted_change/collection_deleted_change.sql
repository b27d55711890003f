-- Without a default and without a foreign key: no row is written or read, the lock is held for a moment.
alter table iucore.collection add column deleted_change bigint;
comment on column iucore.collection.deleted_change is 'The call that soft-deleted it; null while it is not.';
