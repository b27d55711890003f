create or replace aggregate iucore.fn_iu_ledger_chain(p_said text, p_before bytea) (
    sfunc = iucore.fn_iu_ledger_hash,
    stype = bytea
);

alter aggregate iucore.fn_iu_ledger_chain(text, bytea) owner to iucore_owner;
comment on aggregate iucore.fn_iu_ledger_chain(text, bytea) is 'The running hash of a page, as a window aggregate; p_before is the hash before its first event.';
revoke execute on function iucore.fn_iu_ledger_chain(text, bytea) from public;
grant execute on function iucore.fn_iu_ledger_chain(text, bytea) to iucore_auditor;
