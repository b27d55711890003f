create or replace function iucore.fn_iu_collection_create(
    p_key text,
    p_kind text,
    p_title text,
    p_reason text,
    p_members json default '[]',
    p_actor text default null,
    p_request_key text default null
)
returns table (
    collection_id uuid,
    key text,
    kind text,
    title text,
    members bigint,
    change_id bigint
)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- A new file or workflow with all its members in one call. Each member is {"piece": address} or {"collection": key},
-- with "version" to pin a piece and, in a workflow, "label" and "transitions".
-- Locks: the rows of the pieces, in the order of their ids, against fn_iu_retire with p_refuse_if_used; with collections
-- among the members, nesting_guard before them. Waits for a session that is creating the same key.
-- Raises: IU001, IU002, IU003, IU010, IU011, IU012, IU013, IU016, IU017, IU019, IU022, IU025, IU027, IU028, IU100, IU101,
-- IU203, IU204, IU207, IU208, IU209.
declare
    v_nests boolean;
    v_change record;
    v_fault record;
    v_detail text;
begin
    perform iucore.fn_iu_assert_address(p_key);
    perform iucore.fn_iu_assert_title(p_title);
    if p_kind is null or p_kind not in ('file', 'workflow') then
        raise exception using errcode = 'IU025', message = 'kind of collection unknown',
            detail = format('kind: %s', coalesce(quote_literal(left(p_kind, 80)), 'null')),
            hint = 'Use file or workflow.';
    end if;
    if p_members is null or json_typeof(p_members) <> 'array' or exists (
        select from json_array_elements(p_members) as m (item) where json_typeof(m.item) <> 'object'
    ) or exists (
        -- A name that is not known is a typing error, not something to leave out in silence.
        select from json_array_elements(p_members) as m (item)
        cross join lateral json_object_keys(m.item) as k (name)
        where k.name not in ('piece', 'collection', 'version', 'label', 'transitions')
    ) then
        raise exception using errcode = 'IU019', message = 'members are not an array of objects of the documented shape',
            detail = format('members: %s', coalesce(left(p_members::text, 80), 'null')),
            hint = 'Give a JSON array of {"piece": address | "collection": key, "version"?, "label"?, "transitions"?}.';
    end if;
    -- Before the number of the change is drawn, so that the numbers of all changes of nesting follow their commits.
    v_nests := exists (
        select from json_array_elements(p_members) as m (item) where m.item ->> 'collection' is not null
    );
    if v_nests then
        perform iucore.fn_iu_collection_id(m.item ->> 'collection')
        from json_array_elements(p_members) as m (item)
        where m.item ->> 'collection' is not null;
        -- A repeated call writes nothing, so it needs no lock.
        if not exists (select from iucore.change as c where c.request_key = p_request_key) then
            perform iucore.fn_iu_nesting_lock();
        end if;
    end if;
    select o.* into v_change
    from iucore.fn_iu_change_open('collection_create', p_key, p_reason, p_actor, p_request_key,
        case when p_request_key is not null
            then jsonb_build_array(p_key, p_kind, p_title, p_members::text) end) as o;

    if v_change.replayed is null then
        perform iucore.fn_iu_composer_assert_gate();
        insert into iucore.collection (collection_id, key, kind, title, head_change, change_id)
        values (iucore.fn_iu_uuid7(), p_key, p_kind, p_title, v_change.change_id, v_change.change_id)
        on conflict on constraint uq_collection_key do nothing
        returning collection.collection_id into collection_id;
        if collection_id is null then
            raise exception using errcode = 'IU204', message = 'key taken', detail = format('key: %s', p_key),
                hint = 'Add to that collection with fn_iu_collection_add (iucore collection add), or choose another key.';
        end if;
        if v_nests then
            perform iucore.fn_iu_assert_nesting(collection_id, iucore.fn_iu_collection_id(m.item ->> 'collection'))
            from json_array_elements(p_members) as m (item)
            where m.item ->> 'collection' is not null;
        end if;

        -- Against fn_iu_retire with p_refuse_if_used, which must not overlook this use.
        perform from iucore.information_unit as u
        where u.address in (select m.item ->> 'piece' from json_array_elements(p_members) as m (item))
        order by u.unit_id
        for key share;
        with input as materialized (
            select m.ordinality, m.piece, m.collection, m.version, m.label, m.transitions, u.unit_id, c.collection_id,
                case
                    when num_nonnulls(m.piece, m.collection) <> 1 or (m.version is not null and m.piece is null)
                        then 'shape'
                    when m.piece is not null
                        and (u.unit_id is null or u.deleted_change is not null or h.lifecycle = 'retired') then 'piece'
                    when m.version is not null and v.version is null then 'piece'
                    when num_nonnulls(m.label, m.transitions) > 0 then 'step'
                end as fault
            from rows from (json_to_recordset(p_members)
                as (piece text, collection text, version bigint, label text, transitions jsonb)) with ordinality as m
            left join iucore.information_unit as u on u.address = m.piece
            left join iucore.unit_version as h on h.unit_id = u.unit_id and h.version = u.head_version
            left join iucore.unit_version as v on v.unit_id = u.unit_id and v.version = m.version
            left join iucore.collection as c on c.key = m.collection
        ),
        doubtful as (
            select i.* from input as i where i.fault is not null order by i.ordinality
        ),
        checked as materialized (
            -- Steps are checked one by one here, so that the others pay nothing for them.
            select count(iucore.fn_iu_assert_step(p_kind, d.label, d.transitions)::text)
            from doubtful as d
            where d.fault = 'step'
        ),
        placed as (
            insert into iucore.collection_member
                (member_id, collection_id, rank, unit_id, child_id, pinned_version, label, transitions, opened_change)
            select nextval('iucore.collection_member_id'), v_new.id, iucore.fn_iu_rank_encode(16 * (i.ordinality - 1)),
                i.unit_id, i.collection_id, i.version, i.label, i.transitions, v_change.change_id
            from input as i
            cross join (select fn_iu_collection_create.collection_id as id) as v_new
            cross join checked
            where not exists (
                    select from doubtful as d
                    where d.fault <> 'step' or d.label in (
                        select e.label from doubtful as e group by e.label having count(*) > 1)
                )
            order by i.ordinality
        )
        select d.ordinality, d.fault, d.piece, d.version, d.label,
            (select e.label from doubtful as e group by e.label having count(e.label) > 1 limit 1) as label_twice
        into v_fault
        from (select) as one
        left join doubtful as d on d.fault <> 'step'
        order by d.ordinality
        limit 1;

        if v_fault.fault = 'shape' then
            raise exception using errcode = 'IU019', message = 'member is neither a piece nor a collection',
                detail = format('member: %s', v_fault.ordinality),
                hint = 'Give each member either "piece" or "collection"; only a piece has a "version".';
        elsif v_fault.fault = 'piece' then
            perform iucore.fn_iu_unit_usable(v_fault.piece, v_fault.version);
        elsif v_fault.label_twice is not null then
            raise exception using errcode = 'IU207', message = 'label taken',
                detail = format('label twice in this call: %s', v_fault.label_twice),
                hint = 'Give each step its own label.';
        end if;
        perform iucore.fn_iu_composer_emit('created', collection_id, p_key, v_change.change_id,
            jsonb_build_object('kind', p_kind, 'title', p_title, 'members', json_array_length(p_members)));
        perform iucore.fn_iu_composer_emit('piece_added', collection_id, p_key, v_change.change_id, variadic array(
            select jsonb_strip_nulls(jsonb_build_object('member', m.member_id, 'piece', u.address, 'collection', k.key,
                'version', m.pinned_version))
            from iucore.collection_member as m
            left join iucore.information_unit as u on u.unit_id = m.unit_id
            left join iucore.collection as k on k.collection_id = m.child_id
            where m.collection_id = fn_iu_collection_create.collection_id and m.closed_change is null
            order by m.rank collate "C"
        ));
        perform iucore.fn_iu_change_close(v_change.change_id, p_request_key, '{}');
    end if;
    return query
    select c.collection_id, c.key, c.kind, c.title, json_array_length(p_members)::bigint, c.change_id
    from iucore.collection as c
    where c.key = p_key;
exception
    when untranslatable_character or invalid_text_representation or numeric_value_out_of_range
        or invalid_parameter_value or datatype_mismatch then
        get stacked diagnostics v_detail = pg_exception_detail;
        perform iucore.fn_iu_refuse_json(sqlstate, sqlerrm, v_detail);
end
$$;

alter function iucore.fn_iu_collection_create owner to iucore_owner;
comment on function iucore.fn_iu_collection_create is 'A new file or workflow with its members.';
revoke execute on function iucore.fn_iu_collection_create from public;
grant execute on function iucore.fn_iu_collection_create to iucore_author;
