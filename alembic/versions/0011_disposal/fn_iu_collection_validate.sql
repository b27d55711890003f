create or replace function iucore.fn_iu_collection_validate(p_key text)
returns table (
    severity text,
    code text,
    member_id bigint,
    address text,
    message text,
    hint text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set random_page_cost = 1.1
set jit = off
as $$
-- What is wrong in a collection; no row when nothing is. Looks at its own members; a nested collection is validated
-- by its own key. Severity is error (it cannot be shown or followed as meant) or warning.
-- Raises: IU003.
declare
    v_collection_id uuid := iucore.fn_iu_collection_id(p_key);
    v_workflow boolean;
    v_reached boolean[];
begin
    select c.kind = 'workflow' into v_workflow from iucore.collection as c where c.collection_id = v_collection_id;
    if v_workflow then
        v_reached := iucore.fn_iu_workflow_reached(v_collection_id);
    end if;
    return query
    with members as (
        select m.*, row_number() over (order by m.rank collate "C") as place,
            count(*) over () as places,
            count(*) over (partition by m.unit_id, m.child_id) as times,
            c.body <> '' and right(c.body, 1) not in (E'\n', E'\r') as unended,
            coalesce(u.address, k.key) as address,
            u.unit_id as found_unit, k.collection_id as found_child, v.version as found_version, v.lifecycle,
            c.content_sha256 as found_content,
            c.content_sha256 is not null
                and c.content_sha256 <> sha256(convert_to(c.body, 'UTF8')) as tampered
        from iucore.fn_iu_members_at(v_collection_id, null) as m
        left join iucore.information_unit as u on u.unit_id = m.unit_id
        left join iucore.unit_version as v on v.unit_id = m.unit_id and v.version = m.version
        left join iucore.unit_content as c on c.content_sha256 = v.content_sha256
        left join iucore.collection as k on k.collection_id = m.child_id
    ),
    finding as (
        select 'error' as severity, 'missing' as code, m.place, m.member_id, m.address,
            'what stands here does not exist' as message, 'Restore a backup; the database is damaged.' as hint
        from members as m
        where (m.unit_id is not null and m.found_unit is null) or (m.child_id is not null and m.found_child is null)
        union all
        select 'error', 'dangling_pin', m.place, m.member_id, m.address,
            format('version %s does not exist', m.version), 'Pin another version or unpin the member.'
        from members as m
        where m.found_unit is not null and m.found_version is null
        union all
        select 'error', 'hash_mismatch', m.place, m.member_id, m.address,
            case when m.tampered then 'the body is not what its sha256 says' else 'the body does not exist' end,
            'Restore a backup; the database is damaged.'
        from members as m
        where m.tampered or (m.found_version is not null and m.found_content is null)
            or (m.found_version is not null and m.content_sha256 is distinct from m.found_content)
        union all
        select 'warning', m.lifecycle, m.place, m.member_id, m.address,
            format('the piece is %s', m.lifecycle),
            'Replace or remove the member, or set the piece active with fn_iu_lifecycle_set (iucore piece lifecycle).'
        from members as m
        where m.lifecycle in ('retired', 'draft')
        union all
        -- Not among the members: nobody sees them. They come first.
        select 'warning', 'soft_deleted', 0, m.member_id, u.address,
            'the piece is soft-deleted and not shown',
            'Restore it with fn_iu_restore (iucore piece restore), or remove the member.'
        from iucore.collection_member as m
        join iucore.information_unit as u on u.unit_id = m.unit_id
        where m.collection_id = v_collection_id and m.closed_change is null and u.deleted_change is not null
        union all
        select 'warning', 'no_line_end', m.place, m.member_id, m.address,
            'the next member goes on in the same line', 'End the piece with a line end, if this is not meant.'
        from members as m
        where m.unended and m.place < m.places and not v_workflow
        union all
        select 'warning', 'duplicate', m.place, m.member_id, m.address,
            'stands here more than once', 'Remove all but one, if this is not meant.'
        from members as m
        where m.times > 1
    ),
    ways as (
        select w.* from iucore.fn_iu_workflow_ways(v_collection_id, null) as w where v_workflow
    ),
    steps as (
        select 'error' as severity, 'step_without_way_on' as code, m.place, m.member_id, m.address,
            'no transition leads on' as message,
            'Add a transition to a label, to "next" or to "end".' as hint
        from members as m
        where v_workflow and not exists (select from ways as w where w.member_id = m.member_id)
            or exists (
                select from ways as w
                where w.member_id = m.member_id and w.goal = 'next' and w.goal_place is null
            )
        union all
        select 'error', 'goto_nowhere', w.place, w.member_id, m.address,
            format('no step has the label %s', w.goal), 'Correct the transition, or give a step this label.'
        from ways as w
        join members as m on m.member_id = w.member_id
        where w.goal not in ('next', 'end') and w.goal_place is null
        union all
        select 'warning', 'unreachable', m.place, m.member_id, m.address,
            'no way leads here from the first step', 'Add a transition to it, or remove it.'
        from members as m
        where not v_reached[m.place]
    )
    select f.severity, f.code, f.member_id, f.address, f.message, f.hint
    from (
        select f.* from finding as f
        union all
        select s.* from steps as s
    ) as f
    order by f.place, f.severity, f.code;
end
$$;

alter function iucore.fn_iu_collection_validate owner to iucore_owner;
comment on function iucore.fn_iu_collection_validate is 'What is wrong in a collection.';
revoke execute on function iucore.fn_iu_collection_validate from public;
grant execute on function iucore.fn_iu_collection_validate to iucore_reader;
