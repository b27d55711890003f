create or replace function iucore.fn_iu_event_put(
    p_aggregatetype text,
    p_type text,
    p_change_id bigint,
    p_aggregateids text[],
    p_subjects text[],
    p_payloads jsonb[]
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- Appends one event for each payload, in one statement, with the actor of the change. Internal: the only function that
-- writes the outbox. Call it while the subject is locked: the order of the ids within a subject is then that of commits.
-- A type that is not registered takes the delayed lane, which keeps every event. On the immediate lane a repeated fact is
-- kept once.
begin
    insert into iucore.event_outbox (id, aggregatetype, aggregateid, type, payload, event_subject_ref, delivery_lane,
        change_id, actor, claimed_actor)
    select iucore.fn_iu_uuid7(), p_aggregatetype, e.aggregateid, p_type, e.payload, e.subject,
        coalesce(t.delivery_lane, 'delayed'), c.change_id, c.actor, c.claimed_actor
    from iucore.change as c
    left join iucore.event_type as t on t.event_type = p_aggregatetype || '.' || p_type
    cross join lateral unnest(p_aggregateids, p_subjects, p_payloads) as e (aggregateid, subject, payload)
    where c.change_id = p_change_id
    on conflict (event_type, event_subject_ref) where delivery_lane = 'immediate' do nothing;
end
$$;

alter function iucore.fn_iu_event_put owner to iucore_owner;
comment on function iucore.fn_iu_event_put is 'Append events of one type, made by one change.';
revoke execute on function iucore.fn_iu_event_put from public;
