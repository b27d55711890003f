create or replace function iucore.fn_iu_ledger_stray(p_limit bigint default 100)
returns table (event_id uuid, event_type text, subject text, created_at timestamptz)
language sql
stable
as $$
    -- Events that stand in the outbox past the functions: the sequencer has seen their transaction, and they are not in the
    -- ledger. None unless somebody wrote the outbox by hand.
    select o.id, o.event_type, o.event_subject_ref, o.created_at
    from (select q.seen, q.window_end from iucore.sequencer_batch as q order by q.batch desc limit 1) as b
    -- A transaction that this cluster has not given yet is nobody's.
    join iucore.event_outbox as o
        on pg_visible_in_snapshot(o.xid, b.seen) or o.xid >= pg_snapshot_xmax(pg_current_snapshot())
    where o.xid is distinct from pg_current_xact_id_if_assigned()
        and not exists (select from iucore.event_log as l where l.event_id = o.id and l.slot = o.slot)
    order by o.id
    limit p_limit
$$;

alter function iucore.fn_iu_ledger_stray owner to iucore_owner;
comment on function iucore.fn_iu_ledger_stray is 'Events that are in the outbox and not in the ledger, and should be.';
revoke execute on function iucore.fn_iu_ledger_stray from public;
grant execute on function iucore.fn_iu_ledger_stray to iucore_auditor;
