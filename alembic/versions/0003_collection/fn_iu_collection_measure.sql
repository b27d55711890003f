create or replace function iucore.fn_iu_collection_measure(
    p_collection_id uuid,
    p_as_of bigint default null,
    p_bytes boolean default true
)
returns table (pieces numeric, bytes numeric, depth integer)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
-- How much a render would be, without expanding it: level by level, each distinct collection once with the number of
-- ways that lead to it; without p_bytes only the pieces are counted (bytes is 0). A nest that doubles at each level costs
-- no more than a list.
-- Settings: the planner cannot know the size of the collections of a level; index lookups grow with the members, hash
-- joins with the pool.
-- Raises: IU027, so that damage cannot make a read endless.
declare
    v_ids uuid[] := array[p_collection_id];
    v_ways numeric[] := array[1::numeric];
    v_level record;
begin
    pieces := 0;
    bytes := 0;
    depth := 0;
    while cardinality(v_ids) > 0 loop
        depth := depth + 1;
        if depth > iucore.fn_iu_limit('nesting_depth') then
            raise exception using errcode = 'IU027', message = 'nesting too deep',
                detail = format('levels: more than %s', iucore.fn_iu_limit('nesting_depth')),
                hint = 'The gate refuses such a nesting; the database may be damaged: iucore inventory verify.';
        end if;
        with level as (
            select m.child_id, l.ways, c.byte_length
            from unnest(v_ids, v_ways) as l (id, ways)
            cross join lateral iucore.fn_iu_members_at(l.id, p_as_of) as m
            left join iucore.unit_content as c on c.content_sha256 = case when p_bytes then m.content_sha256 end
        ),
        children as (
            select l.child_id, sum(l.ways) as ways from level as l where l.child_id is not null group by l.child_id
        )
        select
            (select coalesce(sum(l.ways), 0) from level as l where l.child_id is null) as pieces,
            (select coalesce(sum(l.ways * l.byte_length), 0) from level as l where l.child_id is null) as bytes,
            array(select c.child_id from children as c order by c.child_id) as ids,
            array(select c.ways from children as c order by c.child_id) as ways
        into v_level;
        pieces := pieces + v_level.pieces;
        bytes := bytes + v_level.bytes;
        v_ids := v_level.ids;
        v_ways := v_level.ways;
    end loop;
    return next;
end
$$;

alter function iucore.fn_iu_collection_measure owner to iucore_owner;
comment on function iucore.fn_iu_collection_measure is 'Pieces, bytes and depth of a collection through all nesting.';
revoke execute on function iucore.fn_iu_collection_measure from public;
grant execute on function iucore.fn_iu_collection_measure to iucore_reader;
