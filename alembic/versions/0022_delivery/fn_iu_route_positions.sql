create or replace function iucore.fn_iu_route_positions(
    p_route text,
    p_partition smallint,
    p_after bigint,
    p_limit integer
)
returns table (positions bigint[], subjects text[], upto bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
-- The next events of a route after a position, at most p_limit, and up to where that answer reaches. Internal: the one place
-- that knows what a route takes. A filter that has no index looks at 20000 positions at most; upto tells how far it came.
-- p_partition null: all of the route.
declare
    v_route record;
    v_head bigint;
    v_narrow boolean;
begin
    select s.* into v_route from iucore.v_route_setting as s where s.route = p_route;
    select l.position into v_head from iucore.event_log as l order by l.position desc limit 1;
    v_head := coalesce(v_head, 0);
    v_narrow := v_route.subject_prefix is not null or v_route.axis is not null
        or (p_partition is not null and v_route.partitions > 1);
    upto := greatest(p_after, case when v_narrow then least(v_head, p_after + 20000) else v_head end);
    if v_route.event_type is null and not v_narrow then
        select array_agg(e.position), array_agg(e.subject) into positions, subjects
        from (
            select l.position, l.subject from iucore.event_log as l
            where l.position > p_after and l.position <= upto
            order by l.position
            limit p_limit
        ) as e;
    elsif not v_narrow then
        select array_agg(e.position), array_agg(e.subject) into positions, subjects
        from (
            select l.position, l.subject from iucore.event_log as l
            -- Of the one type, said by rows: only the index by type fits. A plan for any type would walk the positions of all.
            where (l.event_type, l.position) > (v_route.event_type, p_after)
                and (l.event_type, l.position) <= (v_route.event_type, upto)
            order by l.event_type, l.position
            limit p_limit
        ) as e;
    else
        select array_agg(e.position), array_agg(e.subject) into positions, subjects
        from (
            select l.position, l.subject from iucore.event_log as l
            where l.position > p_after and l.position <= upto
                and (v_route.event_type is null or l.event_type = v_route.event_type)
                and (v_route.subject_prefix is null or starts_with(l.subject, v_route.subject_prefix))
                and (
                    p_partition is null
                    or (hashtextextended(l.subject, 0) & 9223372036854775807) % v_route.partitions = p_partition
                )
                and case
                    when v_route.axis is null then true
                    when l.aggregatetype = 'unit' then exists (
                        select from iucore.unit_axis as a
                        where a.unit_id = l.aggregateid::uuid and a.axis = v_route.axis and a.value = v_route.axis_value
                            and a.closed_change is null
                    )
                    when l.aggregatetype = 'collection' then exists (
                        select from iucore.collection_axis as a
                        where a.collection_id = l.aggregateid::uuid and a.axis = v_route.axis
                            and a.value = v_route.axis_value and a.closed_change is null
                    )
                    else false
                end
            order by l.position
            limit p_limit
        ) as e;
    end if;
    if cardinality(positions) = p_limit then
        upto := positions[p_limit];
    elsif positions is null and not v_narrow then
        -- The index found that there is none: nothing that a cursor would have to remember.
        upto := p_after;
    end if;
    return next;
end
$$;

alter function iucore.fn_iu_route_positions owner to iucore_owner;
comment on function iucore.fn_iu_route_positions is 'The next events of a route after a position.';
revoke execute on function iucore.fn_iu_route_positions from public;
