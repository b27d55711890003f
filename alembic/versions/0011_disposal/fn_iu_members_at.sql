create or replace function iucore.fn_iu_members_at(p_collection_id uuid, p_as_of bigint)
returns table (
    member_id bigint,
    collection_id uuid,
    rank text,
    unit_id uuid,
    child_id uuid,
    pinned_version bigint,
    label text,
    transitions jsonb,
    version bigint,
    content_sha256 bytea
)
language sql
stable
as $$
    -- What stands in one collection, now (p_as_of null) or as of a change, with the version that each member shows.
    -- A piece may be born by a change with a higher number than the one that placed it, when that one had to wait: its
    -- first version then stands for it. A soft-deleted piece is left out; its membership stands, so that restoring the piece
    -- brings it back where it was.
    -- The one place that knows how membership over time and pins are read. No SET clause, so that it is inlined.
    select m.member_id, m.collection_id, m.rank, m.unit_id, m.child_id, m.pinned_version, m.label, m.transitions,
        coalesce(m.pinned_version, u.head_version),
        -- Looked up only where something is pinned: a join would read all versions for a collection without pins.
        case when m.pinned_version is null then u.head_sha256 else (
            select v.content_sha256 from iucore.unit_version as v
            where v.unit_id = m.unit_id and v.version = m.pinned_version
        ) end
    from iucore.collection_member as m
    left join iucore.information_unit as u on u.unit_id = m.unit_id
    where p_as_of is null and m.collection_id = p_collection_id and m.closed_change is null
        and u.deleted_change is null
    union all
    select m.member_id, m.collection_id, m.rank, m.unit_id, m.child_id, m.pinned_version, m.label, m.transitions,
        v.version, v.content_sha256
    from (
        select o.* from iucore.collection_member as o
        where o.collection_id = p_collection_id and o.closed_change is null and o.opened_change <= p_as_of
        union all
        select c.* from iucore.collection_member as c
        where c.collection_id = p_collection_id and c.closed_change > p_as_of and c.opened_change <= p_as_of
    ) as m
    left join lateral (
        select w.version, w.content_sha256
        from iucore.unit_version as w
        where w.unit_id = m.unit_id
            and (w.version = m.pinned_version or (m.pinned_version is null and (w.change_id <= p_as_of or w.version = 1)))
        order by w.version desc
        limit 1
    ) as v on true
    where p_as_of is not null and not exists (
        select from iucore.unit_deletion as d
        where d.unit_id = m.unit_id and iucore.fn_iu_is_open(d.deleted_change, d.restored_change, p_as_of)
    )
$$;

alter function iucore.fn_iu_members_at owner to iucore_owner;
comment on function iucore.fn_iu_members_at is 'The members of one collection, now or as of a change.';
revoke execute on function iucore.fn_iu_members_at from public;
grant execute on function iucore.fn_iu_members_at to iucore_reader;
