create or replace function iucore.fn_iu_sequencer_rebase(
    p_reason text,
    p_actor text default null,
    p_request_key text default null
)
returns table (sequenced bigint, head bigint, change_id bigint, changed boolean)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Makes the ledger go on in this cluster, after a restore: what is not in it yet is found by asking for each event, since
-- transaction ids are others here. In the cluster of the ledger it changes nothing.
-- Locks: the sequencer (it waits for it), and the outbox in SHARE mode: writers wait until it is done.
-- Raises: IU016, IU017, IU038, IU100, IU203.
declare
    v_state record;
    v_system bigint := (select s.system_identifier from pg_control_system() as s);
    v_change record;
    v_done record;
begin
    perform iucore.fn_iu_assert_read_committed();
    lock table iucore.sequencer_guard in exclusive mode;
    select o.* into v_change
    from iucore.fn_iu_change_open('sequencer_rebase', 'sequencer', p_reason, p_actor, p_request_key,
        case when p_request_key is not null then '[]'::jsonb end) as o;
    change_id := v_change.change_id;
    if v_change.replayed is not null then
        sequenced := (v_change.replayed ->> 'sequenced')::bigint;
        head := (v_change.replayed ->> 'head')::bigint;
        changed := (v_change.replayed ->> 'changed')::boolean;
        return next;
        return;
    end if;
    select b.* into v_state from iucore.sequencer_batch as b order by b.batch desc limit 1;
    sequenced := 0;
    head := coalesce(v_state.position, 0);
    changed := v_state.system_identifier <> v_system or (v_state.batch is null and exists (
        select from iucore.event_outbox as o
        where o.xid >= pg_snapshot_xmax(pg_current_snapshot()) and o.xid is distinct from pg_current_xact_id_if_assigned()
    ));
    if changed then
        perform iucore.fn_iu_event_put('delivery', 'rebased', v_change.change_id, array['sequencer'], array['sequencer'],
            array[jsonb_build_object('from', v_state.system_identifier::text, 'to', v_system::text, 'position', head)]);
        -- All writers are done or have not begun: every row below the highest transaction id is known.
        lock table iucore.event_outbox in share mode;
        select a.* into v_done
        from iucore.fn_iu_ledger_append(head, coalesce(v_state.hash, ''), null, null, null, null, null) as a;
        sequenced := v_done.events;
        head := v_done.last_position;
        -- What this transaction has said is in the ledger, what it may say yet is not: it is left under way, and its id, which
        -- no row is above, is one for which the ledger is asked.
        insert into iucore.sequencer_batch (system_identifier, seen, position, hash, rebased_xid, change_id)
        values (v_system, iucore.fn_iu_sequencer_snapshot(), head, v_done.last_hash,
            (select o.xid from iucore.event_outbox as o order by o.xid desc limit 1), v_change.change_id);
    end if;
    perform iucore.fn_iu_change_close(v_change.change_id, p_request_key,
        jsonb_build_object('sequenced', sequenced, 'head', head, 'changed', changed));
    return next;
end
$$;

alter function iucore.fn_iu_sequencer_rebase owner to iucore_owner;
comment on function iucore.fn_iu_sequencer_rebase is 'Make the ledger go on in this cluster.';
revoke execute on function iucore.fn_iu_sequencer_rebase from public;
grant execute on function iucore.fn_iu_sequencer_rebase to iucore_gatekeeper;
