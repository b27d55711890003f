create or replace function iucore.fn_iu_workflow_ways(p_collection_id uuid, p_as_of bigint)
returns table (
    place bigint,
    member_id bigint,
    nth bigint,
    outcome text,
    goal text,
    goal_place bigint
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    -- Where each step of a workflow leads, one row for each transition. A step without transitions leads to the next one,
    -- the last to the end. goal_place is null for the end and for a label that no step has.
    with members as (
        select row_number() over (order by m.rank collate "C") as place, count(*) over () as places, m.member_id, m.label,
            m.transitions
        from iucore.fn_iu_members_at(p_collection_id, p_as_of) as m
    )
    select m.place, m.member_id, t.nth, t.item ->> 'on', t.item ->> 'to', coalesce(n.place, l.place)
    from members as m
    cross join lateral jsonb_array_elements(coalesce(m.transitions, jsonb_build_array(jsonb_build_object(
        'to', case when m.place < m.places then 'next' else 'end' end)))) with ordinality as t (item, nth)
    left join members as n on t.item ->> 'to' = 'next' and n.place = m.place + 1
    left join members as l on l.label = t.item ->> 'to'
$$;

alter function iucore.fn_iu_workflow_ways owner to iucore_owner;
comment on function iucore.fn_iu_workflow_ways is 'Where each step of a workflow leads.';
revoke execute on function iucore.fn_iu_workflow_ways from public;
grant execute on function iucore.fn_iu_workflow_ways to iucore_reader;
