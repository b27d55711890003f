create or replace function iucore.fn_iu_collection_find(p_key text)
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- The id of a collection, soft-deleted or not. For what must look at one in any state; all else asks fn_iu_collection_id.
-- Raises: IU003.
declare
    v_collection_id uuid;
begin
    select c.collection_id into v_collection_id from iucore.collection as c where c.key = p_key;
    if not found then
        raise exception using errcode = 'IU003', message = 'collection not found',
            detail = format('key: %s', coalesce(quote_literal(left(p_key, 120)), 'null')),
            hint = 'List collections with fn_iu_collection_list (iucore collection list).';
    end if;
    return v_collection_id;
end
$$;

alter function iucore.fn_iu_collection_find owner to iucore_owner;
comment on function iucore.fn_iu_collection_find is 'The id of the collection with a key, soft-deleted or not.';
revoke execute on function iucore.fn_iu_collection_find from public;
grant execute on function iucore.fn_iu_collection_find to iucore_reader;
