create or replace view iucore.v_change as
select
    c.change_id,
    c.verb,
    c.subject,
    c.actor,
    c.claimed_actor,
    c.reason,
    c.request_key,
    c.changed_at
from iucore.change as c;

alter view iucore.v_change owner to iucore_owner;
comment on view iucore.v_change is 'Every governed call: who, when, why.';
revoke all on table iucore.v_change from public;
grant select on table iucore.v_change to iucore_reader;
