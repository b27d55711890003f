create or replace function iucore.fn_iu_ledger_append(
    p_position bigint,
    p_hash bytea,
    p_seen pg_snapshot,
    p_end pg_snapshot,
    p_after uuid,
    p_rebased xid8,
    p_limit bigint
)
returns table (events bigint, last_position bigint, last_hash bytea, last_event_id uuid)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- Writes a window to the ledger, after p_position with the hash p_hash. Internal: only the sequencer may, under its lock.
begin
    insert into iucore.event_log (position, event_id, event_type, aggregatetype, aggregateid, subject, delivery_lane,
        payload, change_id, actor, claimed_actor, traceparent, created_at, slot, hash)
    select p_position + row_number() over w, o.id, o.event_type, o.aggregatetype, o.aggregateid, o.event_subject_ref,
        o.delivery_lane, o.payload, o.change_id, o.actor, o.claimed_actor, o.traceparent, o.created_at, o.slot,
        iucore.fn_iu_ledger_chain(
            iucore.fn_iu_ledger_text(o.id, o.event_type, o.aggregatetype, o.aggregateid, o.event_subject_ref,
                o.delivery_lane, o.payload, o.change_id, o.actor, o.claimed_actor, o.traceparent, o.created_at),
            p_hash
        ) over w
    from iucore.fn_iu_sequencer_window(p_seen, p_end, p_after, p_rebased, p_limit) as o
    window w as (order by o.id rows unbounded preceding);
    get diagnostics events = row_count;
    last_position := p_position + events;
    last_hash := p_hash;
    if events > 0 then
        select l.hash, l.event_id into last_hash, last_event_id from iucore.event_log as l where l.position = last_position;
    end if;
    return next;
end
$$;

alter function iucore.fn_iu_ledger_append owner to iucore_owner;
comment on function iucore.fn_iu_ledger_append is 'Write a window of events to the ledger.';
revoke execute on function iucore.fn_iu_ledger_append from public;
