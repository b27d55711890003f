-- What the new roles may on objects that were there before them.
grant usage on schema iucore to iucore_worker;
grant select on table iucore.change_result to iucore_auditor;
