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
declare
    v_trace text := nullif(current_setting('iucore.traceparent', true), '');
begin
    -- Of a caller's setting only what the W3C calls a traceparent: nothing else may reach a receiver's headers.
    if v_trace !~ '^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$' then
        v_trace := null;
    end if;
    if exists (
        select from iucore.event_type as t
        where t.event_type = p_aggregatetype || '.' || p_type and t.delivery_lane = 'immediate'
    ) then
        insert into iucore.event_outbox_0 (id, aggregatetype, aggregateid, type, payload, event_subject_ref,
            delivery_lane, change_id, actor, claimed_actor, traceparent, slot)
        select iucore.fn_iu_uuid7(), p_aggregatetype, e.aggregateid, p_type, e.payload, e.subject,
            'immediate', c.change_id, c.actor, c.claimed_actor, v_trace, 0
        from iucore.change as c
        cross join lateral unnest(p_aggregateids, p_subjects, p_payloads) as e (aggregateid, subject, payload)
        where c.change_id = p_change_id
        on conflict (event_type, event_subject_ref) where delivery_lane = 'immediate' do nothing;
    else
        insert into iucore.event_outbox (id, aggregatetype, aggregateid, type, payload, event_subject_ref,
            delivery_lane, change_id, actor, claimed_actor, traceparent)
        select iucore.fn_iu_uuid7(), p_aggregatetype, e.aggregateid, p_type, e.payload, e.subject,
            'delayed', c.change_id, c.actor, c.claimed_actor, v_trace
        from iucore.change as c
        cross join lateral unnest(p_aggregateids, p_subjects, p_payloads) as e (aggregateid, subject, payload)
        where c.change_id = p_change_id;
    end if;
end
$$;

alter function iucore.fn_iu_event_put owner to iucore_owner;
comment on function iucore.fn_iu_event_put is 'Append events of one type, made by one change.';
revoke execute on function iucore.fn_iu_event_put from public;
