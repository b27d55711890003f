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
-- is one, the first bad position. Begin with nulls. events is 0 behind the last page. Where events were pruned, the anchor
-- at the end of the gap has the hash to go on from; a gap without anchor is bad.
declare
    v_first bigint := coalesce(p_after, (select least(min(l.position) - 1, 0) from iucore.event_log as l), 0);
    v_hash bytea := coalesce(p_hash, '');
begin
    with page as materialized (
        select l.*, lag(l.position, 1, v_first) over (order by l.position) as before
        from iucore.event_log as l
        where l.position > v_first
        order by l.position
        -- Two events with one position come together, and so are found.
        fetch first (coalesce(p_limit, 10000)) rows with ties
    ),

    runs as (
        select p.*, a.hash as anchor,
            count(*) filter (where p.position <> p.before + 1) over (order by p.position rows unbounded preceding) as run
        from page as p
        left join iucore.ledger_anchor as a on p.position > p.before + 1 and a.position = p.position - 1
    ),

    chained as (
        select p.position, p.hash, p.before, p.anchor,
            iucore.fn_iu_ledger_chain(
                iucore.fn_iu_ledger_text(p.event_id, p.event_type, p.aggregatetype, p.aggregateid, p.subject,
                    p.delivery_lane, p.payload, p.change_id, p.actor, p.claimed_actor, p.traceparent, p.created_at),
                case p.run when 0 then v_hash else p.anchor end
            ) over (partition by p.run order by p.position rows unbounded preceding) as computed,
            o.id,
            (p.event_type, p.aggregatetype, p.aggregateid, p.subject, p.delivery_lane, p.payload, p.change_id, p.actor,
                p.claimed_actor, p.traceparent, p.created_at)
            is not distinct from (o.event_type, o.aggregatetype, o.aggregateid, o.event_subject_ref, o.delivery_lane,
                o.payload, o.change_id, o.actor, o.claimed_actor, o.traceparent, o.created_at) as same
        from runs as p
        left join iucore.event_outbox as o on o.id = p.event_id and o.slot = p.slot
    ),

    found as (
        select c.*,
            case
                when c.position = c.before then 'two events have this position'
                when c.position > c.before + 1 and c.anchor is null then 'no event has this position'
                when c.computed is distinct from c.hash then 'the hash is not that of the event in its place'
                when c.id is null then 'the event is not in the outbox'
                when not c.same then 'the event differs from the one in the outbox'
            end as problem
        from chained as c
    ),

    bad as (
        select case f.problem when 'no event has this position' then f.before + 1 else f.position end as position, f.problem
        from found as f
        where f.problem is not null
        order by 1, (f.position > f.before)
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
