create or replace function iucore.fn_iu_refuse_content(p_member_id bigint)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- A render never leaves a member out in silence. Raises: IU033.
begin
    raise exception using errcode = 'IU033', message = 'content missing',
        detail = format('member: @%s', p_member_id),
        hint = 'The database is damaged: find every case with fn_iu_collection_validate and restore a backup.';
end
$$;

alter function iucore.fn_iu_refuse_content owner to iucore_owner;
comment on function iucore.fn_iu_refuse_content is 'Refuse to render a member whose content is missing.';
revoke execute on function iucore.fn_iu_refuse_content from public;
grant execute on function iucore.fn_iu_refuse_content to iucore_reader;
