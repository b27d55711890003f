create or replace function iucore.fn_iu_collection_history(p_key text)
returns table (
    change_id bigint,
    verb text,
    opened bigint,
    closed bigint,
    actor text,
    claimed_actor text,
    reason text,
    changed_at timestamptz
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- The changes of the composition itself, newest first, with the number of member rows that each opened and closed.
-- Edits of its pieces are in their own histories. Also of a soft-deleted collection.
-- Raises: IU003.
declare
    v_collection_id uuid := iucore.fn_iu_collection_find(p_key);
begin
    return query
    with touched as (
        select m.opened_change as change_id, 1 as opened, 0 as closed
        from iucore.collection_member as m
        where m.collection_id = v_collection_id and m.closed_change is null
        union all
        select t.change_id, t.opened, t.closed
        from iucore.collection_member as m
        cross join lateral (values (m.opened_change, 1, 0), (m.closed_change, 0, 1)) as t (change_id, opened, closed)
        where m.collection_id = v_collection_id and m.closed_change is not null
        union all
        select c.change_id, 0, 0 from iucore.collection as c where c.collection_id = v_collection_id
        union all
        select t.change_id, 0, 0
        from iucore.collection_deletion as d
        cross join lateral (values (d.deleted_change), (d.restored_change)) as t (change_id)
        where d.collection_id = v_collection_id and t.change_id is not null
    )
    select g.change_id, g.verb, sum(t.opened), sum(t.closed), g.actor, g.claimed_actor, g.reason, g.changed_at
    from touched as t
    join iucore.change as g on g.change_id = t.change_id
    group by g.change_id
    order by g.change_id desc;
end
$$;

alter function iucore.fn_iu_collection_history owner to iucore_owner;
comment on function iucore.fn_iu_collection_history is 'The changes of a collection, newest first.';
revoke execute on function iucore.fn_iu_collection_history from public;
grant execute on function iucore.fn_iu_collection_history to iucore_reader;
