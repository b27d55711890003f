create or replace function iucore.fn_iu_render_workflow(
    p_key text,
    p_format text,
    p_as_of_change bigint default null,
    p_as_of timestamptz default null
)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set random_page_cost = 1.1
set jit = off
as $$
-- A workflow for people and programs: a Markdown checklist, a Mermaid flowchart, or JSON. A pure read.
-- Raises: IU003, IU008, IU018, IU023, IU026, IU033.
declare
    v_as_of bigint := iucore.fn_iu_as_of(p_as_of_change, p_as_of);
    v_collection_id uuid := iucore.fn_iu_collection_id(p_key, v_as_of);
    v_collection record;
    v_text text;
begin
    select c.kind, c.title into v_collection from iucore.collection as c where c.collection_id = v_collection_id;
    if v_collection.kind <> 'workflow' or p_format is null or p_format not in ('checklist', 'mermaid', 'json') then
        raise exception using errcode = 'IU023', message = 'format invalid',
            detail = format('key: %s, kind: %s, format: %s', p_key, v_collection.kind, coalesce(p_format, 'null')),
            hint = 'A workflow renders as checklist, mermaid or json; any collection as text with fn_iu_render (iucore render).';
    end if;
    -- JSON writes a control character as six bytes.
    perform iucore.fn_iu_assert_render(p_key, m.pieces, m.bytes * case p_format when 'json' then 6 else 1 end)
    from iucore.fn_iu_collection_measure(v_collection_id, v_as_of) as m;

    with members as (
        select row_number() over (order by m.rank collate "C") as place, m.member_id, m.label, m.transitions,
            coalesce(u.address, k.key) as address, m.version, m.child_id is not null as nested,
            coalesce(v.title, k.title) as title, encode(m.content_sha256, 'hex') as content_sha256,
            case when m.child_id is null then coalesce(c.body, iucore.fn_iu_refuse_content(m.member_id)) end as body
        from iucore.fn_iu_members_at(v_collection_id, v_as_of) as m
        left join iucore.information_unit as u on u.unit_id = m.unit_id
        left join iucore.unit_version as v on v.unit_id = m.unit_id and v.version = m.version
        left join iucore.unit_content as c on c.content_sha256 = m.content_sha256
        left join iucore.collection as k on k.collection_id = m.child_id
    ),
    ways as (
        select w.place,
            string_agg(format('%s -> %s', w.outcome, w.goal), '; ' order by w.nth)
                filter (where w.outcome is not null) as checklist,
            string_agg(format(E'    s%s -->%s %s\n', w.place,
                '|"' || iucore.fn_iu_mermaid_text(w.outcome) || '"|',
                case when w.goal = 'end' then 'finish(["end"])'
                    when w.goal_place is not null then 's' || w.goal_place
                    else format('lost%s_%s[["%s?"]]', w.place, w.nth, iucore.fn_iu_mermaid_text(w.goal)) end),
                '' order by w.nth) as mermaid,
            jsonb_agg(jsonb_strip_nulls(jsonb_build_object('on', w.outcome, 'to', w.goal)) order by w.nth) as json
        from iucore.fn_iu_workflow_ways(v_collection_id, v_as_of) as w
        group by w.place
    )
    select case p_format
        when 'checklist' then format(E'# %s\n\n', v_collection.title) || coalesce(string_agg(
            format(E'- [ ] %s. **%s**%s%s\n%s', m.place, m.title,
                case when m.label is not null then format(' (`%s`)', m.label) else '' end,
                case when w.checklist is not null then format(' [%s]', w.checklist) else '' end,
                case when coalesce(m.body, '') = '' then '' else
                    E'\n' || regexp_replace(regexp_replace(m.body, '[[:space:]]+$', ''), '^(?=.)', '  ', 'gn') || E'\n\n' end),
            '' order by m.place), '')
        when 'mermaid' then E'flowchart TD\n' || coalesce(string_agg(
            format(E'    s%s["%s"]\n%s', m.place,
                iucore.fn_iu_mermaid_text(m.place || '. ' || coalesce(m.label || ': ', '') || m.title), w.mermaid),
            '' order by m.place), '')
        else jsonb_pretty(jsonb_build_object('key', p_key, 'title', v_collection.title, 'steps',
            coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('position', m.place, 'member', m.member_id,
                'label', m.label, case when m.nested then 'collection' else 'piece' end, m.address,
                'version', m.version, 'title', m.title, 'sha256', m.content_sha256, 'body', m.body,
                'transitions', w.json)) order by m.place), '[]'))) || E'\n'
        end
    into v_text
    from members as m
    left join ways as w on w.place = m.place;
    return v_text;
end
$$;

alter function iucore.fn_iu_render_workflow owner to iucore_owner;
comment on function iucore.fn_iu_render_workflow is 'A workflow as a checklist, a flowchart or JSON.';
revoke execute on function iucore.fn_iu_render_workflow from public;
grant execute on function iucore.fn_iu_render_workflow to iucore_reader;
