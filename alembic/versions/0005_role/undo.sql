-- Takes back what this revision granted. The roles stay: another database of the cluster may use them.
revoke select on table iucore.change_result from iucore_auditor;
revoke usage on schema iucore from iucore_worker;
alter default privileges for role iucore_owner grant execute on functions to public;
alter default privileges for role iucore_owner grant usage on types to public;
