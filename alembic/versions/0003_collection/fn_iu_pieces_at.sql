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
    with recursive tree as (
        select array[m.rank] as path, m.member_id, m.collection_id, m.unit_id, m.child_id, m.version, m.content_sha256
        from iucore.fn_iu_members_at(p_collection_id, p_as_of) as m
        union all
        select t.path || m.rank, m.member_id, m.collection_id, m.unit_id, m.child_id, m.version, m.content_sha256
        from tree as t
        cross join lateral iucore.fn_iu_members_at(t.child_id, p_as_of) as m
        where t.child_id is not null
    )
    select t.path, t.member_id, t.collection_id, t.unit_id, t.version, t.content_sha256
    from tree as t
    where t.unit_id is not null
$$;

alter function iucore.fn_iu_pieces_at owner to iucore_owner;
comment on function iucore.fn_iu_pieces_at is 'The pieces of a collection through all nesting, now or as of a change.';
revoke execute on function iucore.fn_iu_pieces_at from public;
grant execute on function iucore.fn_iu_pieces_at to iucore_reader;
