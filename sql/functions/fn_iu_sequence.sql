create or replace function iucore.fn_iu_sequence(p_limit bigint default 10000)
returns table (sequenced bigint, head bigint, remaining boolean, busy boolean)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Gives the next events their places: one batch. busy: another session does it now. remaining: call again at once.
-- It remembers a snapshot; what a new one sees beyond it is the next window, in whatever order transactions commit. A window
-- that is larger than a batch is read in parts, up to the snapshot that it began with.
-- Locks: sequencer_guard in EXCLUSIVE mode, one sequencer at a time; it waits for nobody.
-- Raises: IU038, IU054, IU915.
declare
    v_state record;
    v_system bigint := (select s.system_identifier from pg_control_system() as s);
    v_end pg_snapshot;
    v_after uuid;
    v_running xid8[];
    v_done record;
    v_part boolean;
begin
    perform iucore.fn_iu_assert_read_committed();
    if p_limit is null or p_limit not between 1 and 100000 then
        raise exception using errcode = 'IU054', message = 'size of a batch invalid',
            detail = format('limit: %s', coalesce(p_limit::text, 'null')), hint = 'Give 1 to 100000.';
    end if;
    begin
        lock table iucore.sequencer_guard in exclusive mode nowait;
        busy := false;
    exception
        when lock_not_available then
            busy := true;
    end;
    -- A statement of its own, after the lock: it sees the last batch of whoever had it.
    select b.* into v_state from iucore.sequencer_batch as b order by b.batch desc limit 1;
    sequenced := 0;
    head := coalesce(v_state.position, 0);
    remaining := false;
    if busy then
        return next;
        return;
    end if;
    if v_state.batch is null then
        v_state.seen := '1:1:';
        v_state.position := 0;
        v_state.hash := '';
    end if;
    -- Before the first batch a restore shows in transaction ids that this cluster has not given yet.
    if v_state.system_identifier <> v_system or (v_state.batch is null and exists (
        select from iucore.event_outbox as o
        where o.xid >= pg_snapshot_xmax(pg_current_snapshot()) and o.xid is distinct from pg_current_xact_id_if_assigned()
    )) then
        raise exception using errcode = 'IU915', message = 'events were written in another cluster',
            detail = format('system identifier of the ledger: %s, of this cluster: %s',
                coalesce(v_state.system_identifier::text, 'none yet'), v_system),
            hint = 'Transaction ids mean something else here. If this restored database is the one to go on with, a '
                'gatekeeper calls fn_iu_sequencer_rebase (iucore sequencer rebase -m WHY).';
    end if;
    -- Taken before the events are read: what the reading sees beyond it is left for the next window.
    v_end := coalesce(v_state.window_end, iucore.fn_iu_sequencer_snapshot());
    v_after := v_state.last_event_id;
    if v_after is null then
        v_running := array(select pg_snapshot_xip(v_state.seen));
        if (
            select count(*) > p_limit
            from (
                select from iucore.event_outbox as o
                where o.xid >= pg_snapshot_xmax(v_state.seen) and o.xid < pg_snapshot_xmax(v_end)
                union all
                select from iucore.event_outbox as o where o.xid = any(v_running)
                limit p_limit + 1
            ) as w
        ) then
            -- The first part begins just before the first id: the half with the variant bits is 0 in no UUID of ours.
            select overlay(min(f.id::text collate "C") placing '0000-000000000000' from 20)::uuid into v_after
            from (
                select (min(o.id::text collate "C"))::uuid as id from iucore.event_outbox as o
                where o.xid >= pg_snapshot_xmax(v_state.seen) and o.xid < pg_snapshot_xmax(v_end)
                union all
                select (min(o.id::text collate "C"))::uuid from iucore.event_outbox as o where o.xid = any(v_running)
            ) as f;
        end if;
    end if;
    select a.* into v_done
    from iucore.fn_iu_ledger_append(v_state.position, v_state.hash, v_state.seen, v_end, v_after, v_state.rebased_xid,
        p_limit) as a;
    sequenced := v_done.events;
    head := v_done.last_position;
    v_part := v_after is not null and sequenced = p_limit;
    -- An idle sequencer writes nothing.
    if sequenced > 0 or v_after is not null or v_state.batch is null then
        insert into iucore.sequencer_batch (system_identifier, seen, window_end, last_event_id, position, hash, rebased_xid)
        values (v_system, case when v_part then v_state.seen else v_end end, case when v_part then v_end end,
            case when v_part then v_done.last_event_id end, head, v_done.last_hash, v_state.rebased_xid);
    end if;
    remaining := v_after is not null;
    return next;
end
$$;

alter function iucore.fn_iu_sequence owner to iucore_owner;
comment on function iucore.fn_iu_sequence is 'Give the next events their places in the ledger.';
revoke execute on function iucore.fn_iu_sequence from public;
grant execute on function iucore.fn_iu_sequence to iucore_worker;
