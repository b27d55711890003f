create or replace function iucore.fn_iu_assert_title(p_title text)
returns void
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- Raises: IU011.
begin
    if not iucore.fn_iu_is_name(p_title, 300) then
        raise exception using errcode = 'IU011', message = 'title invalid',
            detail = format('title: %s (%s characters)', coalesce(quote_literal(left(p_title, 120)), 'null'),
                coalesce(char_length(p_title), 0)),
            hint = 'Give one line of 1 to 300 characters, without control, bidi or invisible characters, with no white '
                'space but U+0020 inside.';
    end if;
end
$$;

alter function iucore.fn_iu_assert_title owner to iucore_owner;
comment on function iucore.fn_iu_assert_title is 'Refuse a malformed title.';
revoke execute on function iucore.fn_iu_assert_title from public;
