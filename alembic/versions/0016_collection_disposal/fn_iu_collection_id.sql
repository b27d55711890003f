create or replace function iucore.fn_iu_collection_id(p_key text, p_as_of bigint default null)
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- The id of a collection that can be looked at now, or as of a change.
-- Raises: IU003, also when the collection was created after the change p_as_of; IU212 when it is soft-deleted now, or was as
-- of that change.
declare
    v_collection record;
begin
    select c.collection_id, c.change_id, c.deleted_change into v_collection from iucore.collection as c where c.key = p_key;
    if not found then
        perform iucore.fn_iu_collection_find(p_key);
    elsif v_collection.change_id > p_as_of then
        raise exception using errcode = 'IU003', message = 'collection not found',
            detail = format('key: %s, created by change %s, asked as of %s', quote_literal(p_key), v_collection.change_id,
                p_as_of),
            hint = 'Ask as of a later change; fn_iu_collection_history (iucore collection history) lists them.';
    elsif p_as_of is null then
        if v_collection.deleted_change is not null then
            perform iucore.fn_iu_refuse_deleted_collection(p_key, v_collection.deleted_change);
        end if;
    else
        perform iucore.fn_iu_refuse_deleted_collection(p_key, d.deleted_change)
        from iucore.collection_deletion as d
        where d.collection_id = v_collection.collection_id
            and iucore.fn_iu_is_open(d.deleted_change, d.restored_change, p_as_of);
    end if;
    return v_collection.collection_id;
end
$$;

alter function iucore.fn_iu_collection_id owner to iucore_owner;
comment on function iucore.fn_iu_collection_id is 'The id of the collection with a key.';
revoke execute on function iucore.fn_iu_collection_id from public;
grant execute on function iucore.fn_iu_collection_id to iucore_reader;
