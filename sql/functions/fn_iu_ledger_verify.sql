create or replace function iucore.fn_iu_ledger_verify(
    p_after bigint default null,
    p_hash bytea default null,
    p_limit bigint default 10000
)
returns table ("position" bigint, hash bytea, events bigint, bad_position bigint, problem text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- Recomputes a page of the ledger and compares it with the outbox: one row, with where the next page begins and, when there
-- is one, the first bad position. Begin with nulls: it starts where the ledger does, or at the newest anchor of a prune.
-- events is 0 behind the last page.
declare
    v_first bigint := p_after;
    v_hash bytea := p_hash;
begin
    if v_first is null then
        select a.position, a.hash into v_first, v_hash from iucore.ledger_anchor as a order by a.position desc limit 1;
        v_first := coalesce(v_first, 0);
        v_hash := coalesce(v_hash, '');
    end if;
    with page as materialized (
        select l.*, v_first + row_number() over (order by l.position) as wanted
        from iucore.event_log as l
        where l.position > v_first
        order by l.position
        -- Two events with one position come together, and so are found.
        fetch first (coalesce(p_limit, 10000)) rows with ties
    ),

    chained as (
        select p.position, p.hash, p.wanted,
            iucore.fn_iu_ledger_chain(
                iucore.fn_iu_ledger_text(p.event_id, p.event_type, p.aggregatetype, p.aggregateid, p.subject,
                    p.delivery_lane, p.payload, p.change_id, p.actor, p.claimed_actor, p.traceparent, p.created_at),
                v_hash
            ) over w as computed,
            o.id,
            (p.event_type, p.aggregatetype, p.aggregateid, p.subject, p.delivery_lane, p.payload, p.change_id, p.actor,
                p.claimed_actor, p.traceparent, p.created_at)
            is not distinct from (o.event_type, o.aggregatetype, o.aggregateid, o.event_subject_ref, o.delivery_lane,
                o.payload, o.change_id, o.actor, o.claimed_actor, o.traceparent, o.created_at) as same
        from page as p
        left join iucore.event_outbox as o on o.id = p.event_id and o.slot = p.slot
        window w as (order by p.position rows unbounded preceding)
    ),

    bad as (
        select least(c.position, c.wanted) as position,
            case
                when c.position < c.wanted then 'two events have this position'
                when c.position > c.wanted then 'no event has this position'
                when c.computed is distinct from c.hash then 'the hash is not that of the event in its place'
                when c.id is null then 'the event is not in the outbox'
                else 'the event differs from the one in the outbox'
            end as problem
        from chained as c
        where c.position <> c.wanted or c.computed is distinct from c.hash or c.id is null or not c.same
        order by 1, (c.position = c.wanted)
        limit 1
    )

    select coalesce(max(p.position), v_first), (array_agg(p.hash order by p.position desc))[1], count(*),
        (select b.position from bad as b), (select b.problem from bad as b)
    into "position", hash, events, bad_position, problem
    from page as p;
    hash := coalesce(hash, v_hash);
    return next;
end
$$;

alter function iucore.fn_iu_ledger_verify owner to iucore_owner;
comment on function iucore.fn_iu_ledger_verify is 'Recompute a page of the ledger.';
revoke execute on function iucore.fn_iu_ledger_verify from public;
grant execute on function iucore.fn_iu_ledger_verify to iucore_auditor;
