create or replace function iucore.fn_iu_composer_assert_gate()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- What every change of a collection asks before it writes. Internal.
-- Locks: as fn_iu_assert_gate.
-- Raises: IU101.
begin
    perform iucore.fn_iu_assert_gate('composer');
end
$$;

alter function iucore.fn_iu_composer_assert_gate owner to iucore_owner;
comment on function iucore.fn_iu_composer_assert_gate is 'Refuse a change of a collection unless the composer gate is open.';
revoke execute on function iucore.fn_iu_composer_assert_gate from public;
