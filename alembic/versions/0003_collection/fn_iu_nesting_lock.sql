create or replace function iucore.fn_iu_nesting_lock()
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
    -- Changes of nesting go one after another, whatever the isolation level. Internal.
    -- Locks: the one row of nesting_guard, after the row of the collection.
    update iucore.nesting_guard set generation = generation + 1
$$;

alter function iucore.fn_iu_nesting_lock owner to iucore_owner;
comment on function iucore.fn_iu_nesting_lock is 'Let one change of nesting go at a time.';
revoke execute on function iucore.fn_iu_nesting_lock from public;
