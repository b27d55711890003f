create or replace function iucore.fn_iu_sequencer_window(
    p_seen pg_snapshot,
    p_end pg_snapshot,
    p_after uuid,
    p_rebased xid8,
    p_limit bigint
)
returns setof iucore.event_outbox
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
-- Events that p_end sees and p_seen does not, by id. Internal. The range of transaction ids from xmax(p_seen) on, and those
-- that were under way then: never from xmin(p_seen), since one old writer would make every window read history again.
--   p_seen null: all that are not in the ledger, whatever their transaction.
--   p_after null: a window no larger than a batch, read by transaction; else a part of one, by id, after p_after.
--   p_rebased: rows of another cluster have ids up to this one; below it the ledger is asked for each event.
declare
    v_from xid8 := pg_snapshot_xmax(p_seen);
    v_to xid8 := pg_snapshot_xmax(p_end);
    v_running xid8[] := array(select pg_snapshot_xip(p_seen));
    -- The rebase itself is among the running of the snapshot that it left.
    v_asked boolean := coalesce(v_from <= p_rebased or v_running[1] <= p_rebased, false);
begin
    if p_seen is null then
        return query
        select o.* from iucore.event_outbox as o
        where not exists (select from iucore.event_log as l where l.event_id = o.id)
        order by o.id;
    elsif p_after is null then
        return query
        with w as materialized (
            select o.* from iucore.event_outbox as o
            where o.xid >= v_from and o.xid < v_to and pg_visible_in_snapshot(o.xid, p_end)
            union all
            select o.* from iucore.event_outbox as o
            where o.xid = any(v_running) and pg_visible_in_snapshot(o.xid, p_end)
        )

        select w.* from w
        where not v_asked or not exists (select from iucore.event_log as l where l.event_id = w.id)
        order by w.id;
    else
        return query
        select o.* from iucore.event_outbox as o
        where o.id > p_after and pg_visible_in_snapshot(o.xid, p_end)
            and ((o.xid >= v_from and o.xid < v_to) or o.xid = any(v_running))
            and (not v_asked or not exists (select from iucore.event_log as l where l.event_id = o.id))
        order by o.id
        limit p_limit;
    end if;
end
$$;

alter function iucore.fn_iu_sequencer_window owner to iucore_owner;
comment on function iucore.fn_iu_sequencer_window is 'The events between two snapshots.';
revoke execute on function iucore.fn_iu_sequencer_window from public;
