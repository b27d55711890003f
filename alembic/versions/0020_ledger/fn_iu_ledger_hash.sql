create or replace function iucore.fn_iu_ledger_hash(p_hash bytea, p_said text, p_before bytea)
returns bytea
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- The next hash of the ledger: sha256 of the hash before it (p_before, when there is none in this page yet) and of what the
-- event says. In plpgsql, which is called faster than SQL where nothing can be inlined.
begin
    return sha256(coalesce(p_hash, p_before) || convert_to(p_said, 'UTF8'));
end
$$;

alter function iucore.fn_iu_ledger_hash owner to iucore_owner;
comment on function iucore.fn_iu_ledger_hash is 'The next hash of the ledger.';
revoke execute on function iucore.fn_iu_ledger_hash from public;
grant execute on function iucore.fn_iu_ledger_hash to iucore_auditor;
