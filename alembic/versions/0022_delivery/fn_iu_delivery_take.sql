create or replace function iucore.fn_iu_delivery_take(
    p_worker text,
    p_routes text[] default null,
    p_live boolean default false,
    p_limit integer default 1000,
    p_lease interval default '1 minute'
)
returns table (claim bigint, route text, partition smallint, setting bigint, attempt smallint, "position" bigint, event_id text,
    event_type text, aggregatetype text, aggregateid text, subject text, delivery_lane text, payload text, change_id bigint,
    actor text, claimed_actor text, traceparent text, created_at timestamptz)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Takes a batch of one route that may send: a lease of p_lease, whose number (claim) is the fencing token. The caller commits,
-- hands the events to the transport, and records with fn_iu_delivery_record. No row: nothing to send, or not live.
-- What is due again goes first. On an ordered route events behind one that failed are put aside and come after it. A claim
-- that ran out is taken as lost: its events come again, each alone.
-- Locks: the partition of the route (it skips one that another worker has).
-- Raises: IU017, IU038, IU054.
declare
    v_part record;
    v_route record;
    v_newest record;
    v_found record;
    v_at bigint;
    v_upto bigint;
    v_positions bigint[];
    v_deferred bigint[];
    v_source text;
    v_dense boolean;
    v_looked boolean;
    v_seen bigint;
    v_rounds integer;
    v_now timestamptz;
begin
    perform iucore.fn_iu_assert_read_committed();
    if not iucore.fn_iu_is_name(p_worker, 200) then
        raise exception using errcode = 'IU017', message = 'name of a worker invalid',
            detail = format('worker: %s', coalesce(quote_literal(left(p_worker, 80)), 'null')),
            hint = 'Give one line of 1 to 200 characters.';
    end if;
    if p_limit is null or p_limit not between 1 and 10000 or p_lease is null
        or p_lease not between interval '100 milliseconds' and interval '1 hour'
    then
        raise exception using errcode = 'IU054', message = 'size or lease of a batch invalid',
            detail = format('limit: %s, lease: %s', coalesce(p_limit::text, 'null'), coalesce(p_lease::text, 'null')),
            hint = 'Give 1 to 10000 events, and a lease between 100 milliseconds and 1 hour.';
    end if;
    if p_live is not true then
        return;
    end if;
    -- Without the lock that fn_iu_assert_gate takes: before anything is sent fn_iu_delivery_allowed asks again.
    if not exists (select from iucore.gate as g where g.gate = 'delivery' and g.is_open) then
        return;
    end if;
    -- In no order, so that workers spread.
    for v_part in
        select p.route, p.partition
        from iucore.route_partition as p
        where p_routes is null or p.route = any(p_routes)
        order by random()
    loop
        -- First without a lock: an idle worker writes nothing, not even a transaction id.
        v_now := clock_timestamp();
        select p.* into v_newest
        from iucore.v_route_part as p
        where p.route = v_part.route and p.partition = v_part.partition;
        if (v_newest.kind = 'claim' and v_newest.expires_at > v_now) or v_newest.resume_at > v_now then
            continue;
        end if;
        select s.* into v_route
        from iucore.v_route_setting as s
        where s.route = v_part.route and s.execution_enabled and s.transport is not null;
        continue when not found;
        v_looked := v_newest.kind = 'done'
            and iucore.fn_iu_delivery_due(v_part.route, v_part.partition, v_route.ordered, 1) is null;
        v_seen := v_newest.seq;
        if v_looked then
            select f.* into v_found
            from iucore.fn_iu_route_positions(v_part.route, v_part.partition, v_newest.position, p_limit) as f;
            continue when v_found.positions is null
                and (v_found.upto = v_newest.position or v_newest.made_at > v_now - interval '10 seconds')
                and v_found.upto - v_newest.position < 5000;
        end if;
        perform from iucore.route_partition as p
        where p.route = v_part.route and p.partition = v_part.partition
        for update skip locked;
        continue when not found;

        -- Under the lock, again.
        v_now := clock_timestamp();
        select p.* into v_newest
        from iucore.v_route_part as p
        where p.route = v_part.route and p.partition = v_part.partition;
        if (v_newest.kind = 'claim' and v_newest.expires_at > v_now) or v_newest.resume_at > v_now then
            continue;
        end if;
        if v_newest.kind = 'claim' then
            perform iucore.fn_iu_delivery_fail(v_newest.seq, v_newest.positions, 'lost',
                array_fill('the worker did not record it before its lease ran out'::text,
                    array[cardinality(v_newest.positions)]));
            perform iucore.fn_iu_delivery_defer(v_part.route, v_part.partition, v_newest.deferred);
            insert into iucore.delivery_cursor (route, partition, mode, kind, position, failures)
            values (v_part.route, v_part.partition, 'live', 'done',
                case v_newest.source when 'log' then v_newest.upto else v_newest.position end, 0);
            select p.* into v_newest
            from iucore.v_route_part as p
            where p.route = v_part.route and p.partition = v_part.partition;
            v_now := clock_timestamp();
        end if;

        v_source := 'retry';
        v_deferred := null;
        v_at := v_newest.position;
        v_upto := v_at;
        -- What was found without the lock holds while the cursor is the same.
        v_looked := v_looked and v_newest.seq = v_seen;
        v_positions := null;
        if not v_looked then
            v_positions := iucore.fn_iu_delivery_due(v_part.route, v_part.partition, v_route.ordered, p_limit);
        end if;
        if v_positions is null then
            v_source := 'log';
            v_rounds := 0;
            loop
                if not v_looked then
                    select f.* into v_found
                    from iucore.fn_iu_route_positions(v_part.route, v_part.partition, v_at, p_limit) as f;
                end if;
                v_looked := false;
                v_positions := v_found.positions;
                v_deferred := null;
                v_upto := v_found.upto;
                if v_route.ordered and v_positions is not null and exists (
                    select from iucore.delivery_retry as r where r.route = v_part.route
                ) then
                    select array_agg(f.position order by f.position) filter (where not f.blocked),
                        array_agg(f.position order by f.position) filter (where f.blocked)
                    into v_positions, v_deferred
                    from (
                        select u.position, exists (
                            select from iucore.delivery_retry as r
                            where r.route = v_part.route and r.subject = u.subject
                        ) as blocked
                        from unnest(v_found.positions, v_found.subjects) as u (position, subject)
                    ) as f;
                end if;
                -- A long backlog of blocked subjects goes in parts.
                exit when v_positions is not null or v_upto <= v_at or v_rounds = 20;
                v_rounds := v_rounds + 1;
                -- The cursor moves over a window of blocked subjects at once; those of a batch wait for its record, since
                -- the cursor may stop before them.
                perform iucore.fn_iu_delivery_defer(v_part.route, v_part.partition, v_deferred);
                v_at := v_upto;
            end loop;
        end if;
        if v_positions is null then
            -- Nothing for this route in what it looked at: not to be looked at again.
            if v_at > v_newest.position then
                insert into iucore.delivery_cursor (route, partition, mode, kind, position, failures)
                values (v_part.route, v_part.partition, 'live', 'done', v_at, v_newest.failures);
            end if;
            continue;
        end if;
        insert into iucore.delivery_cursor (route, partition, mode, kind, position, upto, positions, deferred,
            source, worker, expires_at, failures)
        values (v_part.route, v_part.partition, 'live', 'claim', v_at, v_upto, v_positions, v_deferred, v_source, p_worker,
            clock_timestamp() + p_lease, v_newest.failures)
        returning seq into claim;
        if v_source = 'log' then
            v_dense := v_positions[cardinality(v_positions)] - v_positions[1] = cardinality(v_positions) - 1;
            return query
            select claim, v_part.route, v_part.partition, v_route.change_id, 1::smallint, l.position,
                l.event_id::text, l.event_type, l.aggregatetype, l.aggregateid, l.subject, l.delivery_lane, l.payload::text,
                l.change_id, l.actor, l.claimed_actor, l.traceparent, l.created_at
            from iucore.event_log as l
            where l.position >= v_positions[1] and l.position <= v_positions[cardinality(v_positions)]
                -- A hashed subplan: = any() of a parameter would be a search through the array for each event.
                and (v_dense or l.position in (select n from unnest(v_positions) as n))
            order by l.position;
        else
            return query
            select claim, v_part.route, v_part.partition, v_route.change_id, (r.attempts + 1)::smallint, l.position,
                l.event_id::text, l.event_type, l.aggregatetype, l.aggregateid, l.subject, l.delivery_lane, l.payload::text,
                l.change_id, l.actor, l.claimed_actor, l.traceparent, l.created_at
            from iucore.delivery_retry as r
            join iucore.event_log as l on l.position = r.position
            where r.route = v_part.route and r.position = any(v_positions)
            order by l.position;
        end if;
        return;
    end loop;
end
$$;

alter function iucore.fn_iu_delivery_take owner to iucore_owner;
comment on function iucore.fn_iu_delivery_take is 'Take a batch of one route.';
revoke execute on function iucore.fn_iu_delivery_take from public;
grant execute on function iucore.fn_iu_delivery_take to iucore_worker;
