-- Under the change that bore them: no piece is without event. created_at says when the event was made. One snapshot; what
-- is born meanwhile has its event.
insert into iucore.event_outbox (id, aggregatetype, aggregateid, type, payload, event_subject_ref, delivery_lane,
    change_id, actor, claimed_actor)
select iucore.fn_iu_uuid7(), 'unit', o.unit_id::text, o.type, o.payload, o.address, 'immediate', o.change_id, o.actor,
    o.claimed_actor
from (
    select u.unit_id, case when u.source_unit_id is null then 'created' else 'cloned' end as type, u.address,
        jsonb_strip_nulls(jsonb_build_object('kind', u.kind, 'version', 1, 'sha256', encode(v.content_sha256, 'hex'),
            'source', s.address, 'source_version', u.source_version)) as payload,
        c.change_id, c.actor, c.claimed_actor
    from iucore.information_unit as u
    join iucore.unit_version as v on v.unit_id = u.unit_id and v.version = 1
    join iucore.change as c on c.change_id = u.change_id
    left join iucore.information_unit as s on s.unit_id = u.source_unit_id
    where not exists (
        select from iucore.event_outbox as e
        where e.event_subject_ref = u.address and e.delivery_lane = 'immediate'
            and e.event_type in ('unit.created', 'unit.cloned')
    )
    order by u.change_id, u.unit_id
) as o
on conflict (event_type, event_subject_ref) where delivery_lane = 'immediate' do nothing;
