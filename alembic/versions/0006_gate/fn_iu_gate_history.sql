create or replace function iucore.fn_iu_gate_history(p_gate text default null)
returns table (
    gate text,
    is_open boolean,
    actor text,
    claimed_actor text,
    reason text,
    change_id bigint,
    changed_at timestamptz
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- Every switch of a gate (null: of all), newest first.
-- Raises: IU040.
begin
    if p_gate is not null and not exists (select from iucore.gate as g where g.gate = p_gate) then
        raise exception using errcode = 'IU040', message = 'gate not found',
            detail = format('gate: %s', quote_literal(left(p_gate, 80))),
            hint = 'Use master, composer or delivery; list gates with fn_iu_gate_list (iucore gate list).';
    end if;
    return query
    select s.gate, s.is_open, c.actor, c.claimed_actor, c.reason, s.change_id, c.changed_at
    from iucore.gate_switch as s
    join iucore.change as c on c.change_id = s.change_id
    where p_gate is null or s.gate = p_gate
    order by s.change_id desc;
end
$$;

alter function iucore.fn_iu_gate_history owner to iucore_owner;
comment on function iucore.fn_iu_gate_history is 'Every switch of a gate, newest first.';
revoke execute on function iucore.fn_iu_gate_history from public;
grant execute on function iucore.fn_iu_gate_history to iucore_reader;
