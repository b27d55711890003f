create or replace function iucore.fn_iu_refuse_address(p_address text, p_where text default '')
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
-- Internal: the one place that says that an address is taken. Raises: IU201.
begin
    raise exception using errcode = 'IU201', message = 'address taken',
        detail = format('%saddress: %s', p_where, p_address),
        hint = 'Edit that piece with fn_iu_edit (iucore piece edit), restore it when it is soft-deleted, or choose another '
            'address; for iucore cut another --prefix.';
end
$$;

alter function iucore.fn_iu_refuse_address owner to iucore_owner;
comment on function iucore.fn_iu_refuse_address is 'Refuse an address that another piece has.';
revoke execute on function iucore.fn_iu_refuse_address from public;
