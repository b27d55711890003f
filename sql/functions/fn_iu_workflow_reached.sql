create or replace function iucore.fn_iu_workflow_reached(p_collection_id uuid)
returns boolean[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- For each place of a workflow whether a way leads there from the first step. A walk in memory: the recursive query would
-- read all ways again for each step.
declare
    v_goals jsonb[];
    v_reached boolean[];
    v_todo bigint[] := array[1::bigint];
    v_place bigint;
begin
    select array_agg(w.goals order by w.place), array_agg(w.place = 1 order by w.place) into v_goals, v_reached
    from (
        select p.place, coalesce(jsonb_agg(w.goal_place) filter (where w.goal_place is not null), '[]') as goals
        from generate_series(1, (
            select count(*) from iucore.fn_iu_members_at(p_collection_id, null)
        )) as p (place)
        left join iucore.fn_iu_workflow_ways(p_collection_id, null) as w on w.place = p.place
        group by p.place
    ) as w;
    while v_reached is not null and cardinality(v_todo) > 0 loop
        v_place := v_todo[cardinality(v_todo)];
        v_todo := trim_array(v_todo, 1);
        for v_place in select g.place::bigint from jsonb_array_elements_text(v_goals[v_place]) as g (place) loop
            if not v_reached[v_place] then
                v_reached[v_place] := true;
                v_todo := v_todo || v_place;
            end if;
        end loop;
    end loop;
    return v_reached;
end
$$;

alter function iucore.fn_iu_workflow_reached owner to iucore_owner;
comment on function iucore.fn_iu_workflow_reached is 'For each place of a workflow whether a way leads there.';
revoke execute on function iucore.fn_iu_workflow_reached from public;
grant execute on function iucore.fn_iu_workflow_reached to iucore_reader;
