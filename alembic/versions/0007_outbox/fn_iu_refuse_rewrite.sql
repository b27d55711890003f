create or replace function iucore.fn_iu_refuse_rewrite()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- For tables that only grow. No role but the owner could try; this stops the owner too.
-- Raises: IU110.
begin
    raise exception using errcode = 'IU110', message = 'rows of this table are never altered or deleted',
        detail = format('table: %s.%s, refused: %s', tg_table_schema, tg_table_name, lower(tg_op)),
        hint = 'Record what is so now with a new call; the past stays as it was.';
end
$$;

alter function iucore.fn_iu_refuse_rewrite owner to iucore_owner;
comment on function iucore.fn_iu_refuse_rewrite is 'Refuse to alter or delete rows of a table that only grows.';
revoke execute on function iucore.fn_iu_refuse_rewrite from public;
