create or replace function iucore.fn_iu_log_read(
    p_after bigint default 0,
    p_event_type text default null,
    p_limit bigint default 1000
)
returns table ("position" bigint, event_id uuid, event_type text, aggregatetype text, aggregateid text, subject text, delivery_lane text, payload jsonb, change_id bigint, actor text, claimed_actor text, traceparent text, created_at timestamptz)
language sql
stable
as $$
    -- Events in the order of the ledger, after a position: a reader that keeps the last position it dealt with hears every
    -- event once. Of one type, or of all.
    select l.position, l.event_id, l.event_type, l.aggregatetype, l.aggregateid, l.subject, l.delivery_lane, l.payload,
        l.change_id, l.actor, l.claimed_actor, l.traceparent, l.created_at
    from iucore.event_log as l
    where l.position > p_after and (p_event_type is null or l.event_type = p_event_type)
    order by l.position
    limit p_limit
$$;

alter function iucore.fn_iu_log_read owner to iucore_owner;
comment on function iucore.fn_iu_log_read is 'Events in the order of the ledger, page by page.';
revoke execute on function iucore.fn_iu_log_read from public;
grant execute on function iucore.fn_iu_log_read to iucore_reader, iucore_worker;
