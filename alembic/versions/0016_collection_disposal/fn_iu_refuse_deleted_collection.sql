create or replace function iucore.fn_iu_refuse_deleted_collection(p_key text, p_change_id bigint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- The one place that says that a collection is soft-deleted, by the change p_change_id. Raises: IU212.
begin
    raise exception using errcode = 'IU212', message = 'collection is soft-deleted',
        detail = concat('key: ', p_key, (
            select format(', deleted by %s in change %s: %s', c.actor, c.change_id, c.reason)
            from iucore.change as c
            where c.change_id = p_change_id
        )),
        hint = concat('Restore it first with fn_iu_collection_restore (iucore collection restore), or look at it as of change ',
            p_change_id - 1, '.');
end
$$;

alter function iucore.fn_iu_refuse_deleted_collection owner to iucore_owner;
comment on function iucore.fn_iu_refuse_deleted_collection is 'Refuse what cannot be done with a soft-deleted collection.';
revoke execute on function iucore.fn_iu_refuse_deleted_collection from public;
grant execute on function iucore.fn_iu_refuse_deleted_collection to iucore_reader;
