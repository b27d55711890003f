create or replace function iucore.fn_iu_uuid7()
returns uuid
language sql
volatile parallel safe
as $$
    -- A UUID version 7 (RFC 9562, method 3): 48 bits of milliseconds, 12 bits of the fraction of a millisecond, 62
    -- random bits. Microseconds times 4096/1000 are both in one number, so the clock is read once. One expression, so
    -- that it is inlined. uuidv7() exists from PostgreSQL 18 on; one body for every version keeps one fingerprint.
    select (
        overlay(
            lpad(to_hex((date_part('epoch', clock_timestamp()) * 1000000::float8)::bigint * 512 / 125), 15, '0')
            placing '7' from 13 for 0)
        || right(gen_random_uuid()::text, 17)
    )::uuid
$$;

alter function iucore.fn_iu_uuid7 owner to iucore_owner;
comment on function iucore.fn_iu_uuid7 is 'A new UUID version 7, in time order.';
revoke execute on function iucore.fn_iu_uuid7 from public;
grant execute on function iucore.fn_iu_uuid7 to iucore_reader;
