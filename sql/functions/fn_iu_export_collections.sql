create or replace function iucore.fn_iu_export_collections(p_keys text[])
returns table (
    key text,
    collection_id uuid,
    kind text,
    title text,
    change_id bigint,
    composition_sha256 text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set random_page_cost = 1.1
set enable_memoize = off
set jit = off
as $$
-- The collections among the keys that can be looked at now, by key.
-- change_id is the newest change of the composition, through all nesting: of memberships, and of deletions that take a
-- member out of sight or brought one back; that of a version that is shown stands in fn_iu_export_pieces.
-- composition_sha256 tells whether two looks would see the same: of one line for each piece, in order, with the numbers of
-- its memberships, its address, version, content, whether it is pinned, and its label.
-- Raises: IU026 for a nest over the limit of pieces.
begin
    perform iucore.fn_iu_assert_render(c.key, m.pieces, 0)
    from iucore.collection as c
    cross join lateral iucore.fn_iu_collection_measure(c.collection_id, null, false) as m
    where c.key = any (p_keys) and c.deleted_change is null
        and exists (
            select from iucore.collection_member as n
            where n.collection_id = c.collection_id and n.child_id is not null and n.closed_change is null
        );
    return query
    with recursive root as (
        select c.key, c.collection_id, c.kind, c.title
        from iucore.collection as c
        where c.key = any (p_keys) and c.deleted_change is null
    ),
    nest as (
        select r.collection_id as root_id, r.collection_id as id, '' as members, array[]::text[] collate "C" as path
        from root as r
        union all
        select n.root_id, m.child_id, n.members || m.member_id || '/', n.path || m.rank
        from nest as n
        join iucore.collection_member as m on m.collection_id = n.id
        where m.child_id is not null and m.closed_change is null
    ),
    distinct_nest as (
        select distinct n.root_id, n.id from nest as n
    ),
    shaped as (
        select n.root_id, c.head_change as change_id
        from distinct_nest as n
        join iucore.collection as c on c.collection_id = n.id
        union all
        select n.root_id, greatest(d.deleted_change, d.restored_change)
        from distinct_nest as n
        join iucore.collection_member as m on m.collection_id = n.id and m.closed_change is null
        join iucore.unit_deletion as d on d.unit_id = m.unit_id
        union all
        select n.root_id, d.restored_change
        from distinct_nest as n
        join iucore.collection_deletion as d on d.collection_id = n.id
    ),
    newest as (
        select s.root_id, max(s.change_id) as change_id from shaped as s group by s.root_id
    ),
    composed as (
        select n.root_id,
            string_agg(concat_ws(' ', n.members || m.member_id, u.address, m.version, encode(m.content_sha256, 'hex'),
                m.pinned_version is not null, m.label) || chr(10), '' order by n.path || m.rank collate "C") as lines
        from nest as n
        cross join lateral iucore.fn_iu_members_at(n.id, null) as m
        join iucore.information_unit as u on u.unit_id = m.unit_id
        group by n.root_id
    )
    select r.key, r.collection_id, r.kind, r.title, w.change_id,
        encode(sha256(convert_to(coalesce(d.lines, ''), 'UTF8')), 'hex')
    from root as r
    join newest as w on w.root_id = r.collection_id
    left join composed as d on d.root_id = r.collection_id
    order by r.key;
end
$$;

alter function iucore.fn_iu_export_collections owner to iucore_owner;
comment on function iucore.fn_iu_export_collections is 'Several collections: the newest change that shaped each, and a digest of what it is made of.';
revoke execute on function iucore.fn_iu_export_collections from public;
grant execute on function iucore.fn_iu_export_collections to iucore_reader;
