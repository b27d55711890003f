create or replace function iucore.fn_iu_wake()
returns boolean
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Wakes a worker that sleeps: call it in a short transaction of its own after a commit, never in that of the change, where
-- NOTIFY would take a lock of the whole cluster at commit. Returns whether it notified: a worker that sleeps holds a shared
-- advisory lock; when nobody does, nothing is sent. Polling carries where nobody calls this.
begin
    if pg_try_advisory_xact_lock(hashtextextended('iucore.sleeping', 0)) then
        return false;
    end if;
    perform pg_notify('iucore_wake', '');
    return true;
end
$$;

alter function iucore.fn_iu_wake owner to iucore_owner;
comment on function iucore.fn_iu_wake is 'Wake a worker that sleeps.';
revoke execute on function iucore.fn_iu_wake from public;
grant execute on function iucore.fn_iu_wake to iucore_author, iucore_gatekeeper, iucore_worker;
