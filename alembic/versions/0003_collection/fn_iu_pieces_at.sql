create or replace function iucore.fn_iu_pieces_at(p_collection_id uuid, p_as_of bigint)
returns table (
    path text[],
    member_id bigint,
    collection_id uuid,
    unit_id uuid,
    version bigint,
    content_sha256 bytea
)
language sql
stable
set search_path = pg_catalog, pg_temp
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
    -- The pieces of a collection through all nesting; order by path. Grows with the number of places, not of distinct
    -- collections: ask fn_iu_assert_render first. Settings as in fn_iu_collection_measure.
    with recursive nest as (
        select p_collection_id as id, array[]::text[] collate "C" as path
        union all
        select m.child_id, n.path || m.rank
        from nest as n
        join iucore.collection_member as m on m.collection_id = n.id
        where m.child_id is not null and iucore.fn_iu_is_open(m.opened_change, m.closed_change, p_as_of)
    )
    select n.path || m.rank, m.member_id, m.collection_id, m.unit_id, m.version, m.content_sha256
    from nest as n
    cross join lateral iucore.fn_iu_members_at(n.id, p_as_of) as m
    where m.unit_id is not null
$$;

alter function iucore.fn_iu_pieces_at owner to iucore_owner;
comment on function iucore.fn_iu_pieces_at is 'The pieces of a collection through all nesting, now or as of a change.';
revoke execute on function iucore.fn_iu_pieces_at from public;
grant execute on function iucore.fn_iu_pieces_at to iucore_reader;
