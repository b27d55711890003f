create or replace view iucore.v_collection_status as
select
    c.collection_id,
    c.key,
    c.kind,
    c.title,
    c.members,
    c.head_change,
    (
        select count(*) from iucore.event_outbox as e
        where e.aggregatetype = 'collection' and e.event_subject_ref = c.key
    ) as events,
    l.event_type as last_event_type,
    l.created_at as last_event_at
from iucore.v_collection as c
left join lateral (
    select e.event_type, e.created_at
    from iucore.event_outbox as e
    where e.aggregatetype = 'collection' and e.event_subject_ref = c.key
    order by e.id desc
    limit 1
) as l on true;

alter view iucore.v_collection_status owner to iucore_owner;
comment on view iucore.v_collection_status is 'Every collection with its members and what happened to it last.';
revoke all on table iucore.v_collection_status from public;
grant select on table iucore.v_collection_status to iucore_reader;
