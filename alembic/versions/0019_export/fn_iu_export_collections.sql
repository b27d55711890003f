create or replace function iucore.fn_iu_export_collections(p_keys text[])
returns table (
    key text,
    collection_id uuid,
    kind text,
    title text,
    change_id bigint
)
language sql
stable
set search_path = pg_catalog, pg_temp
set jit = off
as $$
    -- The collections among the keys that can be looked at now, by key. change_id is the newest change of the composition,
    -- through all nesting: of memberships, and of deletions that take a member out of sight or brought one back; that of a
    -- version that is shown stands in fn_iu_export_pieces.
    with recursive root as (
        select c.key, c.collection_id, c.kind, c.title
        from iucore.collection as c
        where c.key = any (p_keys) and c.deleted_change is null
    ),
    nest as (
        select r.collection_id as root_id, r.collection_id as id from root as r
        union
        select n.root_id, m.child_id
        from nest as n
        join iucore.collection_member as m on m.collection_id = n.id
        where m.child_id is not null and m.closed_change is null
    ),
    shaped as (
        select n.root_id, c.head_change as change_id
        from nest as n
        join iucore.collection as c on c.collection_id = n.id
        union all
        select n.root_id, greatest(d.deleted_change, d.restored_change)
        from nest as n
        join iucore.collection_member as m on m.collection_id = n.id and m.closed_change is null
        join iucore.unit_deletion as d on d.unit_id = m.unit_id
        union all
        select n.root_id, d.restored_change
        from nest as n
        join iucore.collection_deletion as d on d.collection_id = n.id
    )
    select r.key, r.collection_id, r.kind, r.title,
        (select max(s.change_id) from shaped as s where s.root_id = r.collection_id)
    from root as r
    order by r.key
$$;

alter function iucore.fn_iu_export_collections owner to iucore_owner;
comment on function iucore.fn_iu_export_collections is 'Several collections with the newest change that shaped each.';
revoke execute on function iucore.fn_iu_export_collections from public;
grant execute on function iucore.fn_iu_export_collections to iucore_reader;
