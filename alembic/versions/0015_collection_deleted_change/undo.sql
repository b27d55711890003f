-- The views that the revision before made read no such column.
alter table iucore.collection drop column deleted_change;
