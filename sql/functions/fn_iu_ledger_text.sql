create or replace function iucore.fn_iu_ledger_text(
    p_event_id uuid,
    p_event_type text,
    p_aggregatetype text,
    p_aggregateid text,
    p_subject text,
    p_delivery_lane text,
    p_payload jsonb,
    p_change_id bigint,
    p_actor text,
    p_claimed_actor text,
    p_traceparent text,
    p_created_at timestamptz
)
returns text
language sql
stable parallel safe
as $$
    -- What an event adds to the hash: all that it says, as the text of a row, whose quoting tells null from empty and one
    -- column from the next. The time as microseconds: its text depends on the session. Its place it need not say: the hash
    -- before it holds all places before. Inlined.
    select row(p_event_id, p_event_type, p_aggregatetype, p_aggregateid, p_subject, p_delivery_lane, p_payload,
        p_change_id, p_actor, p_claimed_actor, p_traceparent,
        (date_part('epoch', p_created_at) * 1000000::float8)::bigint)::text
$$;

alter function iucore.fn_iu_ledger_text owner to iucore_owner;
comment on function iucore.fn_iu_ledger_text is 'What the hash of an event in the ledger covers.';
revoke execute on function iucore.fn_iu_ledger_text from public;
grant execute on function iucore.fn_iu_ledger_text to iucore_auditor;
