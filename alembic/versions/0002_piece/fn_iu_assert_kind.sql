create or replace function iucore.fn_iu_assert_kind(p_kind text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- Raises: IU005.
begin
    if not exists (select from iucore.unit_kind as k where k.kind = p_kind) then
        raise exception using errcode = 'IU005', message = 'kind not registered',
            detail = format('kind: %s', coalesce(quote_literal(left(p_kind, 80)), 'null')),
            hint = format('Registered: %s. Register another with fn_iu_kind_register (iucore kind register).',
                (select string_agg(k.kind, ', ' order by k.kind) from iucore.unit_kind as k));
    end if;
end
$$;

alter function iucore.fn_iu_assert_kind owner to iucore_owner;
comment on function iucore.fn_iu_assert_kind is 'Refuse a kind that is not registered.';
revoke execute on function iucore.fn_iu_assert_kind from public;
