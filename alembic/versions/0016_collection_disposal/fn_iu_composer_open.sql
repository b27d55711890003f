create or replace function iucore.fn_iu_composer_open(
    p_verb text,
    p_key text,
    p_reason text,
    p_actor text,
    p_request_key text,
    p_arguments jsonb,
    p_nests boolean default false
)
returns table (collection_id uuid, kind text, change_id bigint, replayed jsonb)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- What every composer verb does first: lock the collection, then record the call. Internal.
-- Locks: the row of the collection, until the end of the transaction; whatever else a verb locks comes after it. With
-- p_nests also nesting_guard, before the number of the change is drawn: the numbers of all changes of nesting then
-- follow their commits, and no as-of state has a cycle that never was. Also the table of gates, as fn_iu_assert_gate.
-- A repeated call writes nothing, so that it gets its first result from behind a closed gate too.
-- Raises: IU003, IU016, IU017, IU100, IU101, IU203, IU212.
declare
    v_collection record;
    v_change record;
begin
    loop
        select c.collection_id, c.kind, c.deleted_change into v_collection
        from iucore.collection as c
        where c.key = p_key
        for no key update;
        exit when found;
        -- Refuses, unless it was created between the two statements.
        perform iucore.fn_iu_collection_find(p_key);
    end loop;
    -- A repeated call writes nothing, so it needs no lock.
    if p_nests and not exists (select from iucore.change as c where c.request_key = p_request_key) then
        perform iucore.fn_iu_nesting_lock();
    end if;
    select o.* into v_change
    from iucore.fn_iu_change_open(p_verb, p_key, p_reason, p_actor, p_request_key,
        case when p_request_key is not null then p_arguments end) as o;
    if v_change.replayed is null then
        perform iucore.fn_iu_composer_assert_gate();
        if v_collection.deleted_change is not null and p_verb <> 'collection_restore' then
            perform iucore.fn_iu_refuse_deleted_collection(p_key, v_collection.deleted_change);
        end if;
    end if;
    collection_id := v_collection.collection_id;
    kind := v_collection.kind;
    change_id := v_change.change_id;
    replayed := v_change.replayed;
    return next;
end
$$;

alter function iucore.fn_iu_composer_open owner to iucore_owner;
comment on function iucore.fn_iu_composer_open is 'Lock the collection and record the composer call.';
revoke execute on function iucore.fn_iu_composer_open from public;
