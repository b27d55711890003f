create or replace function iucore.fn_iu_assert_gate(p_gate text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- Refuses unless the gate is open in this transaction. Internal: the one place that reads a gate for a writer.
-- Locks: the table of gates in ROW SHARE mode until the end of the transaction: writers do not wait for each other,
-- fn_iu_gate_set waits for all of them, and they for it. A lock on the row would write it, once for each call.
-- Raises: IU100 (master), IU101 (composer), IU102 (delivery).
declare
    v_gate record;
begin
    lock table iucore.gate in row share mode;
    -- A statement of its own, after the lock: its snapshot has what fn_iu_gate_set committed meanwhile. The snapshot of a
    -- whole transaction may be older than the lock; locking the row then fails with 40001 when it was switched since.
    if current_setting('transaction_isolation') = 'read committed' then
        select g.is_open into v_gate from iucore.gate as g where g.gate = p_gate;
    else
        select g.is_open into v_gate from iucore.gate as g where g.gate = p_gate for share;
    end if;
    -- No row: closed.
    if v_gate.is_open is not true then
        select c.actor, c.claimed_actor, c.reason, c.change_id, c.changed_at into v_gate
        from iucore.gate as g
        join iucore.change as c on c.change_id = g.change_id
        where g.gate = p_gate;
        raise exception using
            errcode = case p_gate when 'master' then 'IU100' when 'composer' then 'IU101' else 'IU102' end,
            message = format('%s gate is closed', p_gate),
            detail = case when v_gate.change_id is null then 'closed since it was made' else
                format('closed by %s%s at %s, change %s: %s', v_gate.actor,
                    coalesce(' (for ' || v_gate.claimed_actor || ', as claimed)', ''),
                    to_char(v_gate.changed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), v_gate.change_id,
                    v_gate.reason) end,
            hint = format('A gatekeeper opens it with: select * from iucore.fn_iu_gate_set(%L, true, ''why''); '
                '(iucore gate open %s -m WHY).', p_gate, p_gate);
    end if;
end
$$;

alter function iucore.fn_iu_assert_gate owner to iucore_owner;
comment on function iucore.fn_iu_assert_gate is 'Refuse unless a gate is open in this transaction.';
revoke execute on function iucore.fn_iu_assert_gate from public;
