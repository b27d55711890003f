create or replace function iucore.fn_iu_assert_read_committed()
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- Refuses another isolation level, where statements do not see what is committed meanwhile. Internal.
-- Raises: IU038.
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception using errcode = 'IU038', message = 'isolation level unsuitable',
            detail = format('transaction_isolation: %s', current_setting('transaction_isolation')),
            hint = 'Call it at READ COMMITTED: each statement must see what was committed meanwhile.';
    end if;
end
$$;

alter function iucore.fn_iu_assert_read_committed owner to iucore_owner;
comment on function iucore.fn_iu_assert_read_committed is 'Refuse another isolation level than READ COMMITTED.';
revoke execute on function iucore.fn_iu_assert_read_committed from public;
