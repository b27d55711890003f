create or replace function iucore.fn_iu_composer_emit(
    p_type text,
    p_collection_id uuid,
    p_key text,
    p_change_id bigint,
    variadic p_payloads jsonb[]
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- Appends one event of a collection for each payload. Internal; the caller holds the lock on the collection.
begin
    perform iucore.fn_iu_event_put('collection', p_type, p_change_id,
        array_fill(p_collection_id::text, array[cardinality(p_payloads)]),
        array_fill(p_key, array[cardinality(p_payloads)]), p_payloads);
end
$$;

alter function iucore.fn_iu_composer_emit owner to iucore_owner;
comment on function iucore.fn_iu_composer_emit is 'Append events of a collection.';
revoke execute on function iucore.fn_iu_composer_emit from public;
