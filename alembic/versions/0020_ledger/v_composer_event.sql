create or replace view iucore.v_composer_event as
select
    e.id as event_id,
    e.event_type,
    -- Not the cast alone: the planner may compare it before it has left out the subjects whose id is no UUID.
    case when e.aggregatetype = 'collection' then e.aggregateid::uuid end as collection_id,
    e.event_subject_ref as key,
    e.payload,
    e.delivery_lane,
    e.change_id,
    e.actor,
    e.claimed_actor,
    e.created_at
from iucore.event_outbox as e
where e.aggregatetype = 'collection';

alter view iucore.v_composer_event owner to iucore_owner;
comment on view iucore.v_composer_event is 'Every event of a collection.';
revoke all on table iucore.v_composer_event from public;
grant select on table iucore.v_composer_event to iucore_reader;
