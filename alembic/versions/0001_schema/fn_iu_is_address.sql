create or replace function iucore.fn_iu_is_address(p_text text)
returns boolean
language sql
immutable parallel safe
as $$
    -- RFC 3986: unreserved characters and upper-case %XX, in segments joined by '/', one '#fragment' at the most.
    -- Encoded forms of '/' and U+0000 are refused, so that a key always maps to one path and back.
    select p_text is not null
        and octet_length(p_text) between 1 and 1024
        and p_text collate "C" ~ '^([A-Za-z0-9._~-]|%[0-9A-F]{2})+(/([A-Za-z0-9._~-]|%[0-9A-F]{2})+)*(#([A-Za-z0-9._~-]|%[0-9A-F]{2})+)?$'
        and p_text collate "C" !~ '(^|/)[.]{1,2}(/|#|$)'
        and p_text collate "C" !~ '%(2F|00)'
$$;

alter function iucore.fn_iu_is_address owner to iucore_owner;
comment on function iucore.fn_iu_is_address is 'Whether a text is a well-formed address of a piece or key of a collection.';
revoke execute on function iucore.fn_iu_is_address from public;
grant execute on function iucore.fn_iu_is_address to iucore_reader;
