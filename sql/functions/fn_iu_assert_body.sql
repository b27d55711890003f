create or replace function iucore.fn_iu_assert_body(p_body text)
returns void
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- Raises: IU014, IU032.
begin
    if p_body is null then
        raise exception using errcode = 'IU032', message = 'body missing', detail = 'body: null',
            hint = 'Give the text; an empty text is allowed.';
    elsif octet_length(p_body) > iucore.fn_iu_limit('body_bytes') then
        raise exception using errcode = 'IU014', message = 'body too large',
            detail = format('bytes: %s, limit: %s', octet_length(p_body), iucore.fn_iu_limit('body_bytes')),
            hint = 'Cut the text into several pieces.';
    end if;
end
$$;

alter function iucore.fn_iu_assert_body owner to iucore_owner;
comment on function iucore.fn_iu_assert_body is 'Refuse a missing or too large body.';
revoke execute on function iucore.fn_iu_assert_body from public;
