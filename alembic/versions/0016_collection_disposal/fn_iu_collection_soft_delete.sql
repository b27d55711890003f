create or replace function iucore.fn_iu_collection_soft_delete(
    p_key text,
    p_reason text,
    p_actor text default null,
    p_request_key text default null
)
returns table (collection_id uuid, key text, change_id bigint, changed boolean)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Takes a collection out of every list; it cannot be rendered, changed or nested until it is restored. Its past is there:
-- as of a change before it renders as it did. Its members and their pieces are not touched, its key stays taken.
-- Locks: the row of the collection; nesting_guard, so that nobody nests it meanwhile.
-- Raises: IU003, IU016, IU017, IU100, IU101, IU203, IU212, IU214.
declare
    v_open record;
    v_keys text;
begin
    select o.* into v_open
    from iucore.fn_iu_composer_open('collection_soft_delete', p_key, p_reason, p_actor, p_request_key,
        jsonb_build_array(p_key), true) as o;
    if v_open.replayed is null then
        select string_agg(distinct s.name, ', ' order by s.name) into v_keys
        from iucore.collection_member as m
        join iucore.collection as c on c.collection_id = m.collection_id
        cross join lateral concat(c.key, case when c.deleted_change is not null then ' (soft-deleted)' end) as s (name)
        where m.child_id = v_open.collection_id and m.closed_change is null;
        if v_keys is not null then
            raise exception using errcode = 'IU214', message = 'collection stands in another one',
                detail = format('key: %s, in: %s', p_key,
                    case when length(v_keys) > 500 then left(v_keys, 500) || ' ...' else v_keys end),
                hint = 'Remove it there first with fn_iu_collection_remove (iucore collection remove); restore a soft-deleted '
                    'collection to take something out of it.';
        end if;
        update iucore.collection as c set deleted_change = v_open.change_id where c.collection_id = v_open.collection_id;
        insert into iucore.collection_deletion (collection_id, deleted_change)
        values (v_open.collection_id, v_open.change_id);
        perform iucore.fn_iu_composer_emit('soft_deleted', v_open.collection_id, p_key, v_open.change_id, '{}'::jsonb);
    end if;
    return query
    select r.collection_id, r.key, r.change_id, r.changed
    from iucore.fn_iu_composer_close(v_open.collection_id, p_key, v_open.change_id, p_request_key, v_open.replayed, null,
        null, null, true) as r;
end
$$;

alter function iucore.fn_iu_collection_soft_delete owner to iucore_owner;
comment on function iucore.fn_iu_collection_soft_delete is 'Take a collection out of every list, until it is restored.';
revoke execute on function iucore.fn_iu_collection_soft_delete from public;
grant execute on function iucore.fn_iu_collection_soft_delete to iucore_operator;
