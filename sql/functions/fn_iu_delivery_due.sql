create or replace function iucore.fn_iu_delivery_due(
    p_route text,
    p_partition smallint,
    p_ordered boolean,
    p_limit integer
)
returns bigint[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- The positions of a part of a route that are to be sent again now, at most p_limit, or null. Internal. What may have killed
-- a worker goes alone, before all others. On an ordered route only the first event of a subject decides, and those behind it
-- come with it up to one that has to wait: subjects are counted, by a step of the index for each, not events.
declare
    v_now timestamptz := clock_timestamp();
    v_positions bigint[];
    v_subjects text[];
begin
    if not p_ordered then
        select array[r.position] into v_positions
        from iucore.delivery_retry as r
        where r.route = p_route and r.partition = p_partition and r.next_at <= v_now and r.state = 'lost'
        order by r.position
        limit 1;
        if v_positions is null then
            select array_agg(d.position order by d.position) into v_positions
            from (
                select r.position
                from iucore.delivery_retry as r
                where r.route = p_route and r.partition = p_partition and r.next_at <= v_now
                order by r.position
                limit p_limit
            ) as d;
        end if;
        return v_positions;
    end if;
    with recursive head as (
        (
            select r.subject, r.position, r.partition, r.next_at, r.state
            from iucore.delivery_retry as r
            where r.route = p_route
            order by r.subject, r.position
            limit 1
        )
        union all
        select n.subject, n.position, n.partition, n.next_at, n.state
        from head as h
        cross join lateral (
            select r.subject, r.position, r.partition, r.next_at, r.state
            from iucore.delivery_retry as r
            where r.route = p_route and r.subject > h.subject
            order by r.subject, r.position
            limit 1
        ) as n
    )

    select array[min(h.position) filter (where h.state = 'lost')], array_agg(h.subject)
    into v_positions, v_subjects
    from head as h
    where h.partition = p_partition and h.next_at <= v_now;
    if v_positions[1] is not null then
        return v_positions;
    end if;
    select array_agg(d.position order by d.position) into v_positions
    from (
        select w.position
        from unnest(v_subjects) as s (subject)
        cross join lateral (
            select f.position, bool_or(f.next_at > v_now or f.state = 'lost') over (order by f.position) as waits
            from (
                select r.position, r.next_at, r.state
                from iucore.delivery_retry as r
                where r.route = p_route and r.subject = s.subject
                order by r.position
                limit p_limit
            ) as f
        ) as w
        where not w.waits
        order by w.position
        limit p_limit
    ) as d;
    return v_positions;
end
$$;

alter function iucore.fn_iu_delivery_due owner to iucore_owner;
comment on function iucore.fn_iu_delivery_due is 'The positions of a part of a route that are to be sent again now.';
revoke execute on function iucore.fn_iu_delivery_due from public;
