create or replace function iucore.fn_iu_collection_axes(p_key text)
returns table (key text, axis text, value text, opened_change bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- The derived values of all axes on a collection, as of its last refresh.
-- Raises: IU003.
declare
    v_collection_id uuid := iucore.fn_iu_collection_id(p_key);
begin
    return query
    select p_key, x.axis, x.value, x.opened_change
    from iucore.collection_axis as x
    where x.collection_id = v_collection_id and x.closed_change is null
    order by x.axis, x.value;
end
$$;

alter function iucore.fn_iu_collection_axes owner to iucore_owner;
comment on function iucore.fn_iu_collection_axes is 'The derived values of all axes on a collection.';
revoke execute on function iucore.fn_iu_collection_axes from public;
grant execute on function iucore.fn_iu_collection_axes to iucore_reader;
