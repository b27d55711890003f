create or replace function iucore.fn_iu_assert_address(p_address text)
returns void
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- Raises: IU010.
begin
    if not iucore.fn_iu_is_address(p_address) then
        raise exception using errcode = 'IU010', message = 'address invalid',
            detail = format('address: %s (%s bytes)', coalesce(quote_literal(left(p_address, 120)), 'null'),
                coalesce(octet_length(p_address), 0)),
            hint = 'Use A-Z a-z 0-9 . _ ~ - and %XX (upper case) in segments joined by "/", one "#fragment" at the end, '
                'no segment "." or "..", no encoded "/" or U+0000, at most 1024 bytes.';
    end if;
end
$$;

alter function iucore.fn_iu_assert_address owner to iucore_owner;
comment on function iucore.fn_iu_assert_address is 'Refuse a malformed address or key.';
revoke execute on function iucore.fn_iu_assert_address from public;
