create or replace function iucore.fn_iu_assert_attributes(p_attributes jsonb)
returns void
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- Raises: IU015.
begin
    if not iucore.fn_iu_is_attributes(p_attributes) then
        raise exception using errcode = 'IU015', message = 'attributes invalid',
            detail = format('type: %s, bytes: %s', coalesce(jsonb_typeof(p_attributes), 'null'),
                coalesce(octet_length(p_attributes::text), 0)),
            hint = 'Give a JSON object, at most 16 levels deep and 65536 bytes.';
    end if;
end
$$;

alter function iucore.fn_iu_assert_attributes owner to iucore_owner;
comment on function iucore.fn_iu_assert_attributes is 'Refuse attributes that are no object, too deep or too large.';
revoke execute on function iucore.fn_iu_assert_attributes from public;
