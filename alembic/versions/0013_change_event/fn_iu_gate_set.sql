create or replace function iucore.fn_iu_gate_set(
    p_gate text,
    p_open boolean,
    p_reason text,
    p_actor text default null,
    p_request_key text default null
)
returns table (gate text, is_open boolean, change_id bigint, changed boolean)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Opens or closes a gate. Every call is recorded; one that finds the gate as asked returns changed = false.
-- The only writing function that a closed master gate does not stop.
-- Locks: the table of gates in EXCLUSIVE mode until the end of the transaction: it waits for every write under way, and
-- new writes wait for it. Commit at once; set lock_timeout where a long transaction may be writing.
-- Raises: IU016, IU017, IU037, IU040, IU203.
declare
    v_gate record;
    v_change record;
begin
    if p_open is null then
        raise exception using errcode = 'IU037', message = 'state of a switch missing', detail = 'open: null',
            hint = 'Give true to open the gate, false to close it.';
    end if;
    -- Before the lock, which a mistyped name should not make everybody wait for. No gate ever goes away.
    if not exists (select from iucore.gate as g where g.gate = p_gate) then
        raise exception using errcode = 'IU040', message = 'gate not found',
            detail = format('gate: %s', coalesce(quote_literal(left(p_gate, 80)), 'null')),
            hint = 'Use master, composer or delivery; list gates with fn_iu_gate_list (iucore gate list).';
    end if;
    -- Before the number of the change is drawn: the numbers of all switches follow their commits.
    lock table iucore.gate in exclusive mode;
    -- With the snapshot of a whole transaction a gate that was switched since ends this with 40001.
    select g.is_open into v_gate from iucore.gate as g where g.gate = p_gate for update;
    select o.* into v_change
    from iucore.fn_iu_change_open('gate_set', p_gate, p_reason, p_actor, p_request_key,
        case when p_request_key is not null then jsonb_build_array(p_gate, p_open) end) as o;
    gate := p_gate;
    is_open := p_open;
    change_id := v_change.change_id;
    changed := coalesce((v_change.replayed ->> 'changed')::boolean, v_gate.is_open <> p_open);
    if v_change.replayed is null then
        if changed then
            update iucore.gate as g set is_open = p_open, change_id = v_change.change_id where g.gate = p_gate;
            insert into iucore.gate_switch (change_id, gate, is_open) values (v_change.change_id, p_gate, p_open);
            perform iucore.fn_iu_event_put('gate', 'switched', v_change.change_id, array[p_gate], array[p_gate],
                array[jsonb_build_object('open', p_open)]);
        end if;
        perform iucore.fn_iu_change_close(v_change.change_id, p_request_key, jsonb_build_object('changed', changed));
    end if;
    return next;
end
$$;

alter function iucore.fn_iu_gate_set owner to iucore_owner;
comment on function iucore.fn_iu_gate_set is 'Open or close a gate.';
revoke execute on function iucore.fn_iu_gate_set from public;
grant execute on function iucore.fn_iu_gate_set to iucore_gatekeeper;
