create or replace function iucore.fn_iu_delivery_record(
    p_claim bigint,
    p_handled integer,
    p_positions bigint[] default '{}',
    p_outcomes text[] default '{}',
    p_errors text[] default '{}',
    p_unavailable text default null,
    p_retry_after interval default null,
    p_gone boolean default false
)
returns table (sent bigint, failed bigint, dead bigint, resume_at timestamptz)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Records what became of a claim, and ends it. p_handled: how many events, from the first, are dealt with; the others are
-- taken again. All of them were sent but those in p_positions, whose outcome is failed, or deferred: behind a failed one
-- of the same subject on an ordered route, not handed over.
-- p_unavailable: what the target said when it could not be reached; the route waits, and nothing is counted. p_gone: it said
-- that it is gone for ever; the route is switched off, in the name of the worker.
-- Locks: the partition of the route; with p_gone the route before it.
-- Raises: IU038, IU055, IU219.
declare
    v_claim iucore.delivery_cursor;
    v_route record;
    v_all integer;
    v_done bigint[];
    v_failed bigint[];
    v_failures integer;
    v_at bigint;
    v_change bigint;
begin
    perform iucore.fn_iu_assert_read_committed();
    select cardinality(c.positions) into v_all from iucore.delivery_cursor as c where c.seq = p_claim;
    if p_handled is null or p_handled not between 0 and coalesce(v_all, p_handled) or p_positions is null
        or cardinality(p_positions) <> (select count(distinct n) from unnest(p_positions) as n)
        or cardinality(p_positions) is distinct from cardinality(p_outcomes)
        or cardinality(p_positions) is distinct from cardinality(p_errors)
        or exists (select from unnest(p_outcomes) as o where o is null or o not in ('failed', 'deferred'))
    then
        raise exception using errcode = 'IU055', message = 'record of a batch invalid',
            detail = format('claim: %s, events: %s, handled: %s', coalesce(p_claim::text, 'null'),
                coalesce(v_all::text, 'unknown'), coalesce(p_handled::text, 'null')),
            hint = 'Give the number of events dealt with from the first, and for each that was not sent its position, failed '
                'or deferred, and the reason.';
    end if;
    if p_gone then
        perform from iucore.route as r
        join iucore.delivery_cursor as c on c.route = r.route
        where c.seq = p_claim
        for no key update of r;
    end if;
    v_claim := iucore.fn_iu_delivery_claim(p_claim);
    select s.* into v_route from iucore.v_route_setting as s where s.route = v_claim.route;
    v_done := v_claim.positions[1:p_handled];
    if not v_done @> p_positions then
        raise exception using errcode = 'IU055', message = 'record of a batch invalid',
            detail = format('claim: %s: a position is not among the events dealt with', p_claim),
            hint = 'Give positions of this claim only.';
    end if;
    dead := 0;
    failed := 0;
    if cardinality(p_positions) = 0 then
        sent := p_handled::bigint;
        insert into iucore.delivery_attempt (position, route, attempt, outcome, claim)
        select d.position, v_claim.route, coalesce(r.attempts, 0) + 1, 'sent', p_claim
        from unnest(v_done) as d (position)
        left join iucore.delivery_retry as r
            on v_claim.source = 'retry' and r.route = v_claim.route and r.position = d.position;
    else
        select array_agg(f.position order by f.position) into v_failed
        from unnest(p_positions, p_outcomes) as f (position, outcome)
        where f.outcome = 'failed';
        failed := coalesce(cardinality(v_failed), 0)::bigint;
        sent := (p_handled - cardinality(p_positions))::bigint;
        insert into iucore.delivery_attempt (position, route, attempt, outcome, claim)
        select d.position, v_claim.route, coalesce(r.attempts, 0) + 1, 'sent', p_claim
        from unnest(v_done) as d (position)
        left join iucore.delivery_retry as r
            on v_claim.source = 'retry' and r.route = v_claim.route and r.position = d.position
        where d.position <> all(p_positions);
    end if;
    if v_claim.source = 'retry' then
        delete from iucore.delivery_retry as r
        where r.route = v_claim.route and r.position = any(v_done) and r.position <> all(p_positions);
    end if;
    if failed > 0 then
        dead := iucore.fn_iu_delivery_fail(p_claim, v_failed, 'failed', array(
            select coalesce(left(f.error, 500), 'failed')
            from unnest(p_positions, p_outcomes, p_errors) as f (position, outcome, error)
            where f.outcome = 'failed'
            order by f.position
        ));
    end if;
    v_at := case
        when v_claim.source = 'retry' or p_handled = 0 then v_claim.position
        when p_handled = v_all then v_claim.upto
        else v_done[p_handled]
    end;
    if v_claim.source = 'log' and (failed < cardinality(p_positions) or v_claim.deferred is not null) then
        perform iucore.fn_iu_delivery_defer(v_claim.route, v_claim.partition, array(
            select f.position from unnest(p_positions, p_outcomes) as f (position, outcome) where f.outcome = 'deferred'
            union all
            select d from unnest(v_claim.deferred) as d where d <= v_at
        ));
    end if;
    v_failures := case when p_unavailable is null then 0 else v_claim.failures + 1 end;
    if p_unavailable is not null then
        resume_at := clock_timestamp() + case
            when p_retry_after > interval '0' then least(p_retry_after, interval '1 hour')
            else iucore.fn_iu_backoff(v_route.backoff_ms, v_route.backoff_cap_ms, v_failures)
        end;
    end if;
    if p_gone and v_route.execution_enabled then
        if exists (select from iucore.gate as g where g.gate = 'master' and g.is_open) then
            select s.change_id into v_change
            from iucore.fn_iu_route_set(v_claim.route, false, 'the target says that it is gone for ever') as s;
        else
            -- Nobody may write now: it waits as long as a route waits at most.
            resume_at := clock_timestamp() + v_route.backoff_cap_ms * interval '1 millisecond';
        end if;
    end if;
    insert into iucore.delivery_cursor (route, partition, mode, kind, position, worker, resume_at, failures, error, change_id)
    values (v_claim.route, v_claim.partition, 'live', 'done', v_at, v_claim.worker, fn_iu_delivery_record.resume_at, v_failures,
        left(case when p_gone then coalesce(p_unavailable, 'gone') else p_unavailable end, 500), v_change);
    return next;
end
$$;

alter function iucore.fn_iu_delivery_record owner to iucore_owner;
comment on function iucore.fn_iu_delivery_record is 'Record what became of a batch.';
revoke execute on function iucore.fn_iu_delivery_record from public;
grant execute on function iucore.fn_iu_delivery_record to iucore_worker;
