create or replace function iucore.fn_iu_prune_blocker(p_slot smallint, p_position bigint)
returns text
language sql
stable
as $$
    -- Why a partition cannot be emptied yet, or null. Internal. p_position: its last position in the ledger.
    select coalesce(
        (
            select format('event %s is not in the ledger yet', o.id)
            from iucore.event_outbox as o
            where o.slot = p_slot and not exists (select from iucore.event_log as l where l.event_id = o.id)
            limit 1
        ),
        (
            select format('route %s has open dead letters, the first %s', d.route, d.dead_letter)
            from iucore.dead_letter as d
            where d.closed_change is null and d.position <= p_position
            order by d.dead_letter
            limit 1
        ),
        (
            select format('route %s sends position %s again', r.route, r.position)
            from iucore.delivery_retry as r
            where r.position <= p_position
            order by r.position
            limit 1
        ),
        (
            select format('route %s stands at position %s and is to take %s', c.route, c.position, w.positions[1])
            from iucore.v_route_part as c
            cross join lateral iucore.fn_iu_route_range(c.route, c.position, p_position, 1) as w
            where c.position < p_position and cardinality(w.positions) > 0
            limit 1
        )
    )
$$;

alter function iucore.fn_iu_prune_blocker owner to iucore_owner;
comment on function iucore.fn_iu_prune_blocker is 'Why a partition of events cannot be emptied yet.';
revoke execute on function iucore.fn_iu_prune_blocker from public;
