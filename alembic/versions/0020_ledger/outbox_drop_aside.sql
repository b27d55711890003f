-- Nothing reads it any more: the views were replaced. Every row was copied in this transaction.
-- squawk-ignore ban-drop-table
drop table iucore.event_outbox_aside;
