-- Sets the outbox aside, so that the one with partitions takes its name. It is held until the end of the transaction: no
-- governed call is made meanwhile, and none that is under way goes on. change first, as every writer does.
do $$
begin
    lock table iucore.change in share row exclusive mode;
    lock table iucore.event_outbox in access exclusive mode;
end
$$;

-- squawk-ignore require-concurrent-index-deletion
drop index iucore.idx_event_outbox_idempotent;
-- squawk-ignore require-concurrent-index-deletion
drop index iucore.idx_event_outbox_window;
-- squawk-ignore require-concurrent-index-deletion
drop index iucore.idx_event_outbox_subject;
-- squawk-ignore require-concurrent-index-deletion
drop index iucore.idx_event_outbox_change;
-- squawk-ignore renaming-table
alter table iucore.event_outbox rename to event_outbox_aside;
-- squawk-ignore renaming-object
alter table iucore.event_outbox_aside rename constraint pk_event_outbox to pk_event_outbox_aside;
