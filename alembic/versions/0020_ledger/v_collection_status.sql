create or replace view iucore.v_collection_status as
select
    c.collection_id,
    c.key,
    c.kind,
    c.title,
    o.members - h.hidden as members,
    c.head_change,
    (
        select count(*) from iucore.event_outbox as e
        where e.aggregatetype = 'collection' and e.event_subject_ref = c.key
    ) as events,
    l.event_type as last_event_type,
    l.created_at as last_event_at,
    case when c.deleted_change is null then 'live' else 'soft_deleted' end as state,
    h.hidden
from iucore.collection as c
cross join lateral (
    select count(*) as members from iucore.collection_member as m
    where m.collection_id = c.collection_id and m.closed_change is null
) as o
-- From the few deletions, not from the members.
cross join lateral (
    select count(*) as hidden from iucore.collection_member as m
    join iucore.unit_deletion as d on d.unit_id = m.unit_id and d.restored_change is null
    where m.collection_id = c.collection_id and m.closed_change is null
) as h
left join lateral (
    select e.event_type, e.created_at
    from iucore.event_outbox as e
    where e.aggregatetype = 'collection' and e.event_subject_ref = c.key
    order by e.id desc
    limit 1
) as l on true;

alter view iucore.v_collection_status owner to iucore_owner;
comment on view iucore.v_collection_status is 'Every collection, soft-deleted ones too, with its members, hidden members and what happened to it last.';
revoke all on table iucore.v_collection_status from public;
grant select on table iucore.v_collection_status to iucore_reader;
