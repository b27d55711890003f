create or replace function iucore.fn_iu_collection_id(p_key text, p_as_of bigint default null)
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- Raises: IU003, also when the collection was created after the change p_as_of; IU212 when it is soft-deleted now. The past
-- of a soft-deleted collection is there: as of a change it is found.
declare
    v_collection record;
begin
    select c.collection_id, c.change_id, c.deleted_change into v_collection from iucore.collection as c where c.key = p_key;
    if not found or v_collection.change_id > p_as_of then
        raise exception using errcode = 'IU003', message = 'collection not found',
            detail = format('key: %s', coalesce(quote_literal(left(p_key, 120)), 'null'))
                || case when v_collection.change_id > p_as_of
                    then format(', created by change %s, asked as of %s', v_collection.change_id, p_as_of) else '' end,
            hint = 'List collections with fn_iu_collection_list (iucore collection list).';
    end if;
    if p_as_of is null and v_collection.deleted_change is not null then
        perform iucore.fn_iu_refuse_deleted_collection(p_key);
    end if;
    return v_collection.collection_id;
end
$$;

alter function iucore.fn_iu_collection_id owner to iucore_owner;
comment on function iucore.fn_iu_collection_id is 'The id of the collection with a key.';
revoke execute on function iucore.fn_iu_collection_id from public;
grant execute on function iucore.fn_iu_collection_id to iucore_reader;
