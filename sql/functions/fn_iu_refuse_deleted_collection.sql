create or replace function iucore.fn_iu_refuse_deleted_collection(p_key text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- The one place that says that a collection is soft-deleted. Raises: IU212.
declare
    v_change record;
begin
    select c.change_id, c.actor, c.reason into v_change
    from iucore.collection as k
    join iucore.change as c on c.change_id = k.deleted_change
    where k.key = p_key;
    raise exception using errcode = 'IU212', message = 'collection is soft-deleted',
        detail = format('key: %s, deleted by %s in change %s: %s', p_key, v_change.actor, v_change.change_id,
            v_change.reason),
        hint = format('Restore it first with fn_iu_collection_restore (iucore collection restore), or look at it as of change %s.',
            v_change.change_id - 1);
end
$$;

alter function iucore.fn_iu_refuse_deleted_collection owner to iucore_owner;
comment on function iucore.fn_iu_refuse_deleted_collection is 'Refuse what cannot be done with a soft-deleted collection.';
revoke execute on function iucore.fn_iu_refuse_deleted_collection from public;
grant execute on function iucore.fn_iu_refuse_deleted_collection to iucore_reader;
