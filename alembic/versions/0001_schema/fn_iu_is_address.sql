create or replace function iucore.fn_iu_is_address(p_text text)
returns boolean
language sql
immutable parallel safe
as $$
    -- RFC 3986: unreserved characters and upper-case %XX, in segments joined by '/', one '#fragment' at the most.
    -- Encoded forms of '/', U+0000 and unreserved characters are refused, so that a key always maps to one path and back.
    select p_text is not null
        and octet_length(p_text) between 1 and 1024
        and p_text collate "C" ~ '^([A-Za-z0-9._~-]|%[0-9A-F]{2})+(/([A-Za-z0-9._~-]|%[0-9A-F]{2})+)*(#([A-Za-z0-9._~-]|%[0-9A-F]{2})+)?$'
        and p_text collate "C" !~ '(^|/)[.]{1,2}(/|#|$)'
        and p_text collate "C" !~ '%(00|2[DEF]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])'
$$;

alter function iucore.fn_iu_is_address owner to iucore_owner;
comment on function iucore.fn_iu_is_address is 'Whether a text is a well-formed address of a piece or key of a collection.';
revoke execute on function iucore.fn_iu_is_address from public;
grant execute on function iucore.fn_iu_is_address to iucore_reader;
