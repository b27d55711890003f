create or replace function iucore.fn_iu_uuid7()
returns uuid
language sql
volatile parallel safe
as $$
    -- A UUID version 7 (RFC 9562, method 3): 48 bits of milliseconds, 12 bits of the fraction of a millisecond,
    -- 62 random bits. Ids drawn one after another sort in that order, down to a quarter of a microsecond.
    -- uuidv7() exists from PostgreSQL 18 on; one body for every version keeps one fingerprint.
    select (
        substring(lpad(to_hex(t.us / 1000), 12, '0') from 1 for 8) || '-'
        || substring(lpad(to_hex(t.us / 1000), 12, '0') from 9 for 4) || '-7'
        || lpad(to_hex((t.us % 1000) * 4096 / 1000), 3, '0') || '-'
        || substring(gen_random_uuid()::text from 20)
    )::uuid
    from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as us) as t
$$;

alter function iucore.fn_iu_uuid7 owner to iucore_owner;
comment on function iucore.fn_iu_uuid7 is 'A new UUID version 7, in time order.';
revoke execute on function iucore.fn_iu_uuid7 from public;
grant execute on function iucore.fn_iu_uuid7 to iucore_reader;
