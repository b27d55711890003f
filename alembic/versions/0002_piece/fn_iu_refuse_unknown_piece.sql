create or replace function iucore.fn_iu_refuse_unknown_piece(p_address text)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
-- The one place that says that a piece is not there. Raises: IU001.
begin
    raise exception using errcode = 'IU001', message = 'piece not found',
        detail = format('address: %s', coalesce(quote_literal(left(p_address, 120)), 'null')),
        hint = 'List pieces with fn_iu_list (iucore piece list), or create it with fn_iu_create.';
end
$$;

alter function iucore.fn_iu_refuse_unknown_piece owner to iucore_owner;
comment on function iucore.fn_iu_refuse_unknown_piece is 'Refuse an address that no piece has.';
revoke execute on function iucore.fn_iu_refuse_unknown_piece from public;
grant execute on function iucore.fn_iu_refuse_unknown_piece to iucore_reader;
