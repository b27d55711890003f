create or replace function iucore.fn_iu_delivery_fail(
    p_claim bigint,
    p_positions bigint[],
    p_outcome text,
    p_errors text[]
)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- Records failed or lost attempts of a claim: the events are sent again later, or are dead letters after the last attempt.
-- Returns how many died. Internal: call it while the partition of the route is locked.
-- A lost event comes again at once after the first attempt, alone: most of its batch are innocent, and so none dies that was
-- only lost in company.
declare
    v_claim record;
    v_route record;
    v_dead bigint;
    v_limit integer;
begin
    select c.route, c.partition into v_claim from iucore.delivery_cursor as c where c.seq = p_claim;
    select s.* into v_route from iucore.v_route_setting as s where s.route = v_claim.route;
    v_limit := case when p_outcome = 'lost' and cardinality(p_positions) > 1 then 32767 else v_route.max_attempts end;
    with failing as (
        select f.position, f.error, coalesce(r.attempts, 0::smallint) + 1 as attempts,
            coalesce(r.attempts, 0::smallint) + 1 >= v_limit as dies
        from unnest(p_positions, p_errors) as f (position, error)
        left join iucore.delivery_retry as r on r.route = v_claim.route and r.position = f.position
    ),

    attempt as (
        insert into iucore.delivery_attempt (position, route, attempt, outcome, claim, error)
        select f.position, v_claim.route, f.attempts, p_outcome, p_claim, f.error from failing as f order by f.position
    ),

    dead as (
        insert into iucore.dead_letter (route, position, event_id, event_type, subject, attempts, reason)
        select v_claim.route, f.position, l.event_id, l.event_type, l.subject, f.attempts, coalesce(f.error, p_outcome)
        from failing as f
        join iucore.event_log as l on l.position = f.position
        where f.dies
        order by f.position
        returning dead_letter.position
    ),

    buried as (
        delete from iucore.delivery_retry as r
        where r.route = v_claim.route
            and r.position in (select f.position from failing as f where f.dies)
    ),

    again as (
        insert into iucore.delivery_retry as r (route, position, partition, subject, state, attempts, next_at, error)
        select v_claim.route, f.position, v_claim.partition, l.subject, p_outcome, f.attempts,
            clock_timestamp() + case when p_outcome = 'lost' and f.attempts = 1 then interval '0' else
                iucore.fn_iu_backoff(v_route.backoff_ms, v_route.backoff_cap_ms, f.attempts) end,
            f.error
        from failing as f
        join iucore.event_log as l on l.position = f.position
        where not f.dies
        order by f.position
        on conflict on constraint pk_delivery_retry do update
        set state = excluded.state, attempts = excluded.attempts, next_at = excluded.next_at, error = excluded.error
    )

    select count(*) into v_dead from dead;
    return v_dead;
end
$$;

alter function iucore.fn_iu_delivery_fail owner to iucore_owner;
comment on function iucore.fn_iu_delivery_fail is 'Record failed or lost attempts of a batch.';
revoke execute on function iucore.fn_iu_delivery_fail from public;
