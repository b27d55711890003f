create or replace function iucore.fn_iu_slot()
returns smallint
language sql
volatile
as $$
    -- The partition for rows that are made now: the quarter of the year, in UTC. Internal.
    select date_part('quarter', clock_timestamp() at time zone 'UTC')::smallint
$$;

alter function iucore.fn_iu_slot owner to iucore_owner;
comment on function iucore.fn_iu_slot is 'The partition for rows that are made now.';
revoke execute on function iucore.fn_iu_slot from public;
