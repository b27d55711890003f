create or replace function iucore.fn_iu_collection_restore(
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
-- Brings a soft-deleted collection back, with the members that it had.
-- Locks: the row of the collection; nesting_guard, as fn_iu_collection_soft_delete.
-- Raises: IU003, IU016, IU017, IU100, IU101, IU203, IU213.
declare
    v_open record;
begin
    select o.* into v_open
    from iucore.fn_iu_composer_open('collection_restore', p_key, p_reason, p_actor, p_request_key,
        jsonb_build_array(p_key), true) as o;
    if v_open.replayed is null then
        if not exists (
            select from iucore.collection as c
            where c.collection_id = v_open.collection_id and c.deleted_change is not null
        ) then
            raise exception using errcode = 'IU213', message = 'collection is not soft-deleted',
                detail = format('key: %s', p_key),
                hint = 'Nothing is to restore; look at it with fn_iu_collection_show (iucore collection show).';
        end if;
        update iucore.collection as c set deleted_change = null where c.collection_id = v_open.collection_id;
        update iucore.collection_deletion as d
        set restored_change = v_open.change_id
        where d.collection_id = v_open.collection_id and d.restored_change is null;
        perform iucore.fn_iu_composer_emit('restored', v_open.collection_id, p_key, v_open.change_id, '{}'::jsonb);
    end if;
    return query
    select r.collection_id, r.key, r.change_id, r.changed
    from iucore.fn_iu_composer_close(v_open.collection_id, p_key, v_open.change_id, p_request_key, v_open.replayed, null,
        null, null, true) as r;
end
$$;

alter function iucore.fn_iu_collection_restore owner to iucore_owner;
comment on function iucore.fn_iu_collection_restore is 'Bring a soft-deleted collection back.';
revoke execute on function iucore.fn_iu_collection_restore from public;
grant execute on function iucore.fn_iu_collection_restore to iucore_operator;
