create or replace function iucore.fn_iu_axis_refresh(
    p_key text,
    p_reason text,
    p_actor text default null,
    p_request_key text default null
)
returns table (key text, axis text, value text, state text)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Derives the axes of a collection from its pieces, through all nesting, each by its rule: union (every value),
-- intersection (values that all pieces have that have any), highest (the last in the axis's list), latest (set last).
-- Returns every value with its state: added, removed or kept. Only what differs is written.
-- Locks: the row of the collection.
-- Raises: IU003, IU016, IU017, IU100, IU101, IU203.
declare
    v_open record;
    v_result jsonb;
begin
    select o.* into v_open
    from iucore.fn_iu_composer_open('axis_refresh', p_key, p_reason, p_actor, p_request_key,
        jsonb_build_array(p_key)) as o;
    v_result := v_open.replayed;
    if v_result is null then
        with recursive inside as (
            select v_open.collection_id as id
            union
            select m.child_id
            from inside as i
            join iucore.collection_member as m on m.collection_id = i.id
            where m.child_id is not null and m.closed_change is null
        ),
        pieces as (
            select distinct m.unit_id
            from inside as i
            cross join lateral iucore.fn_iu_members_at(i.id, null) as m
            where m.unit_id is not null
        ),
        found as (
            select a.axis, a.rule, x.value, x.unit_id,
                dense_rank() over (
                    partition by a.axis order by array_position(a.axis_values, x.value::text) desc
                ) as lowness,
                rank() over (partition by a.axis order by x.opened_change desc) as age
            from pieces as p
            join iucore.unit_axis as x on x.unit_id = p.unit_id and x.closed_change is null
            join iucore.axis as a on a.axis = x.axis
        ),
        counted as (
            select f.axis, count(distinct f.unit_id) as pieces from found as f group by f.axis
        ),
        derived as (
            select f.axis, f.value
            from found as f
            join counted as c on c.axis = f.axis
            group by f.axis, f.rule, f.value, c.pieces
            having case f.rule
                when 'union' then true
                when 'intersection' then count(distinct f.unit_id) = c.pieces
                when 'highest' then min(f.lowness) = 1
                else min(f.age) = 1
            end
        ),
        held as (
            select x.axis, x.value
            from iucore.collection_axis as x
            where x.collection_id = v_open.collection_id and x.closed_change is null
        ),
        compared as (
            select coalesce(d.axis, h.axis) as axis, coalesce(d.value, h.value) as value,
                case when h.axis is null then 'added' when d.axis is null then 'removed' else 'kept' end as state
            from derived as d
            full join held as h on h.axis = d.axis and h.value = d.value
        ),
        closed as (
            update iucore.collection_axis as x
            set closed_change = v_open.change_id
            from compared as c
            where x.collection_id = v_open.collection_id and x.axis = c.axis and x.value = c.value
                and x.closed_change is null and c.state = 'removed'
        ),
        opened as (
            insert into iucore.collection_axis (collection_id, axis, value, opened_change)
            select v_open.collection_id, c.axis, c.value, v_open.change_id
            from compared as c
            where c.state = 'added'
        )
        select coalesce(jsonb_agg(jsonb_build_object('axis', c.axis, 'value', c.value, 'state', c.state)
            order by c.axis, c.value), '[]')
        into v_result
        from compared as c;
        -- A write, so that a second call at REPEATABLE READ fails with 40001 instead of building on its old snapshot.
        update iucore.collection as c set head_change = c.head_change where c.collection_id = v_open.collection_id;
        perform iucore.fn_iu_composer_emit('axes_refreshed', v_open.collection_id, p_key, v_open.change_id, s.counts)
        from (
            select count(*) filter (where r.state <> 'kept') as written, jsonb_build_object(
                'added', count(*) filter (where r.state = 'added'),
                'removed', count(*) filter (where r.state = 'removed'),
                'kept', count(*) filter (where r.state = 'kept')) as counts
            from jsonb_to_recordset(v_result) as r (state text)
        ) as s
        where s.written > 0;
        perform iucore.fn_iu_change_close(v_open.change_id, p_request_key, v_result);
    end if;
    return query
    select p_key, r.axis, r.value, r.state
    from jsonb_to_recordset(v_result) as r (axis text, value text, state text);
end
$$;

alter function iucore.fn_iu_axis_refresh owner to iucore_owner;
comment on function iucore.fn_iu_axis_refresh is 'Derive the axes of a collection from its pieces.';
revoke execute on function iucore.fn_iu_axis_refresh from public;
grant execute on function iucore.fn_iu_axis_refresh to iucore_author;
