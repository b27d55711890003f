create or replace function iucore.fn_iu_nesting_lock()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- Changes of nesting go one after another, whatever the isolation level. Internal.
-- Locks: the one row of nesting_guard, after the row of the collection.
-- Raises: IU904 when the row is gone, since then nothing would be locked.
begin
    update iucore.nesting_guard set generation = generation + 1;
    if not found then
        raise exception using errcode = 'IU904', message = 'nesting_guard has no row',
            detail = 'table: iucore.nesting_guard',
            hint = 'Was only the schema restored? As iucore_owner: insert into iucore.nesting_guard values (true, 0);';
    end if;
end
$$;

alter function iucore.fn_iu_nesting_lock owner to iucore_owner;
comment on function iucore.fn_iu_nesting_lock is 'Let one change of nesting go at a time.';
revoke execute on function iucore.fn_iu_nesting_lock from public;
