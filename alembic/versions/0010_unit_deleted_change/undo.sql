alter table iucore.information_unit drop column deleted_change;
