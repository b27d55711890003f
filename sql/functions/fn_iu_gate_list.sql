create or replace function iucore.fn_iu_gate_list()
returns table (
    gate text,
    title text,
    is_open boolean,
    actor text,
    claimed_actor text,
    reason text,
    change_id bigint,
    changed_at timestamptz
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    -- The gates as they stand, and who switched each last; null for one that stands as it came.
    select g.gate, g.title, g.is_open, c.actor, c.claimed_actor, c.reason, g.change_id, c.changed_at
    from iucore.gate as g
    left join iucore.change as c on c.change_id = g.change_id
    order by array_position(array['master', 'composer', 'delivery'], g.gate), g.gate
$$;

alter function iucore.fn_iu_gate_list owner to iucore_owner;
comment on function iucore.fn_iu_gate_list is 'The gates, and who switched each last.';
revoke execute on function iucore.fn_iu_gate_list from public;
grant execute on function iucore.fn_iu_gate_list to iucore_reader;
