create or replace function iucore.fn_iu_standing_in(p_unit_id uuid, p_collection_id uuid)
returns table (
    key text,
    kind text,
    title text,
    member_id bigint,
    pinned_version bigint,
    depth integer
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    -- What both where-used questions share. Internal.
    with recursive direct as (
        select m.collection_id, m.member_id, m.pinned_version
        from iucore.collection_member as m
        where m.unit_id = p_unit_id and m.closed_change is null
        union all
        select m.collection_id, m.member_id, null
        from iucore.collection_member as m
        where m.child_id = p_collection_id and m.closed_change is null
    ),
    above as (
        -- Distinct pairs: a nest that doubles at each level stays small.
        select d.collection_id, 1 as depth from direct as d
        union
        select m.collection_id, a.depth + 1
        from above as a
        join iucore.collection_member as m on m.child_id = a.collection_id and m.closed_change is null
        where a.depth < iucore.fn_iu_limit('nesting_depth')
    ),
    nearest as (
        select a.collection_id, min(a.depth) as depth from above as a group by a.collection_id
    )
    select c.key, c.kind, c.title, d.member_id, d.pinned_version, n.depth
    from nearest as n
    join iucore.collection as c on c.collection_id = n.collection_id
    left join direct as d on d.collection_id = n.collection_id
    where c.deleted_change is null
    order by 6, c.key, d.member_id
$$;

alter function iucore.fn_iu_standing_in owner to iucore_owner;
comment on function iucore.fn_iu_standing_in is 'Where a piece or a collection stands.';
revoke execute on function iucore.fn_iu_standing_in from public;
grant execute on function iucore.fn_iu_standing_in to iucore_reader;
