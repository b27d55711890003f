create or replace function iucore.fn_iu_export_pieces(p_keys text[])
returns table (
    key text,
    within text[],
    members bigint[],
    address text,
    kind text,
    version bigint,
    head_version bigint,
    pinned boolean,
    title text,
    label text,
    content_sha256 text,
    byte_length bigint,
    change_id bigint
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set random_page_cost = 1.1
set enable_memoize = off
set jit = off
as $$
-- The pieces of several collections as they would render now, in order of the keys and of their places, without the
-- bodies. members are the numbers of the memberships that lead from the collection to the piece, the last one its own;
-- within are the keys of the nested collections on that way. A key that cannot be looked at gives no row.
-- Settings: as in fn_iu_render; nearly every piece is looked up once, so that remembering it only costs.
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
    with recursive nest as (
        select c.key, c.collection_id as id, array[]::text[] collate "C" as within, array[]::bigint[] as members,
            array[]::text[] collate "C" as path
        from iucore.collection as c
        where c.key = any (p_keys) and c.deleted_change is null
        union all
        select n.key, m.child_id, n.within || k.key, n.members || m.member_id, n.path || m.rank
        from nest as n
        join iucore.collection_member as m on m.collection_id = n.id
        join iucore.collection as k on k.collection_id = m.child_id
        where m.child_id is not null and m.closed_change is null
    )
    select n.key, n.within, n.members || m.member_id, u.address, u.kind, m.version, u.head_version,
        m.pinned_version is not null, v.title, m.label, encode(m.content_sha256, 'hex'), c.byte_length::bigint, v.change_id
    from nest as n
    cross join lateral iucore.fn_iu_members_at(n.id, null) as m
    join iucore.information_unit as u on u.unit_id = m.unit_id
    left join iucore.unit_version as v on v.unit_id = m.unit_id and v.version = m.version
    left join iucore.unit_content as c on c.content_sha256 = m.content_sha256
    order by n.key collate "C", n.path || m.rank collate "C";
end
$$;

alter function iucore.fn_iu_export_pieces owner to iucore_owner;
comment on function iucore.fn_iu_export_pieces is 'The pieces of several collections, in order, without the bodies.';
revoke execute on function iucore.fn_iu_export_pieces from public;
grant execute on function iucore.fn_iu_export_pieces to iucore_reader;
