create or replace function iucore.fn_iu_events_prune(
    p_before timestamptz,
    p_reason text,
    p_actor text default null,
    p_request_key text default null
)
returns table (slot smallint, events bigint, attempts bigint, first_at timestamptz, last_at timestamptz, change_id bigint)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Empties the partitions of delivery in which everything is older than p_before: events of the delayed lane, their places in
-- the ledger, attempts, cursors. One row for each; none when no quarter is old enough. It refuses while an event there is
-- not in the ledger, a route has not passed it, or it waits to be sent again or is an open dead letter. At the end of each
-- run of positions that go an anchor keeps the hash, from which the ledger is verified on. Facts of the immediate lane stay.
-- Locks: the sequencer; each partition that it empties in ACCESS EXCLUSIVE mode: readers of events wait until it commits.
-- Raises: IU016, IU017, IU018, IU038, IU100, IU203, IU220, IU910.
declare
    v_change record;
    v_slots smallint[];
    v_slot smallint;
    v_tables text[] := array['delivery_cursor', 'event_log', 'delivery_attempt', 'event_outbox', 'sequencer_batch'];
    v_table text;
    v_times timestamptz[];
    v_last record;
    v_why text;
begin
    perform iucore.fn_iu_assert_read_committed();
    if p_before is null or not isfinite(p_before) or p_before > clock_timestamp() then
        raise exception using errcode = 'IU018', message = 'moment invalid',
            detail = format('before: %s', coalesce(p_before::text, 'null')), hint = 'Give a moment in the past.';
    end if;
    lock table iucore.sequencer_guard in exclusive mode;
    select o.* into v_change
    from iucore.fn_iu_change_open('events_prune', 'events', p_reason, p_actor, p_request_key,
        case when p_request_key is not null then jsonb_build_array(p_before) end) as o;
    change_id := v_change.change_id;
    if v_change.replayed is not null then
        return query
        select r.slot, r.events, r.attempts, r.first_at, r.last_at, v_change.change_id
        from jsonb_to_recordset(v_change.replayed -> 'slots')
            as r (slot smallint, events bigint, attempts bigint, first_at timestamptz, last_at timestamptz);
        return;
    end if;
    v_change.replayed := '[]';
    -- The oldest first. What is made now goes to the present quarter, never emptied.
    -- As a list: a partition cannot be altered while a query on it is open.
    v_slots := array(
        select q.slot
        from (
            select n.slot, least(
                (select min(o.created_at) from iucore.event_outbox as o where o.slot = n.slot),
                (select min(a.made_at) from iucore.delivery_attempt as a where a.slot = n.slot),
                (select min(c.made_at) from iucore.delivery_cursor as c where c.slot = n.slot)
            ) as since
            from unnest(array[1, 2, 3, 4]::smallint[]) as n (slot)
        ) as q
        where q.slot <> iucore.fn_iu_slot() and q.since is not null
        order by q.since
    );
    foreach v_slot in array v_slots loop
        slot := v_slot;
        select array[min(t.at), max(t.at)] into v_times
        from (
            select min(o.created_at) as at from iucore.event_outbox as o where o.slot = v_slot
            union all
            select max(o.created_at) from iucore.event_outbox as o where o.slot = v_slot
            union all
            select max(l.sequenced_at) from iucore.event_log as l where l.slot = v_slot
            union all
            select max(a.made_at) from iucore.delivery_attempt as a where a.slot = v_slot
            union all
            select min(a.made_at) from iucore.delivery_attempt as a where a.slot = v_slot
            union all
            select max(c.made_at) from iucore.delivery_cursor as c where c.slot = v_slot
            union all
            select min(c.made_at) from iucore.delivery_cursor as c where c.slot = v_slot
        ) as t;
        continue when v_times[2] >= p_before;
        -- In the order of fn_iu_delivery_take and _record: a worker that has read its cursor goes on to the events.
        -- All at once or none: waiting for one while holding others would stop delivery for as long as anybody reads, and
        -- no order of five tables suits every reader. A failed block gives back what it got.
        for v_try in 1..40 loop
            begin
                execute format('lock table %s in access exclusive mode nowait', (
                    select string_agg(format('iucore.%I', n || '_' || v_slot), ', ') from unnest(v_tables) as n
                ));
                exit;
            exception
                when lock_not_available then
                    if v_try = 40 then
                        raise exception using errcode = 'IU910', message = 'somebody reads the events',
                            detail = format('quarter %s, tried for 2 seconds', v_slot),
                            hint = 'Nothing was pruned. Try again when long readers are done (a dump, ledger verify): '
                                'select * from pg_stat_activity where xact_start < now() - interval ''1 minute''.';
                    end if;
            end;
            perform pg_sleep(0.05);
        end loop;
        select l.position, l.hash into v_last
        from iucore.event_log as l
        where l.slot = v_slot
        order by l.position desc
        limit 1;
        v_why := iucore.fn_iu_prune_blocker(v_slot, v_last.position);
        if v_why is not null then
            raise exception using errcode = 'IU220', message = 'events are still needed',
                detail = format('quarter %s, %s to %s: %s', v_slot, v_times[1], v_times[2], v_why),
                hint = 'See iucore status. Let the worker run, replay or skip dead letters (iucore route replay, skip), or '
                    'skip what a route will never send (iucore route skip ROUTE --upto POSITION).';
        end if;
        select count(*) into events from iucore.event_log as l where l.slot = v_slot;
        select count(*) into attempts from iucore.delivery_attempt as a where a.slot = v_slot;
        first_at := v_times[1];
        last_at := v_times[2];
        -- An anchor at the end of each run of positions that go: between them stand facts that stay, and at the turn of a
        -- quarter events of the other.
        insert into iucore.ledger_anchor (position, hash, change_id)
        select r.position, r.hash, v_change.change_id
        from (
            select l.position, l.hash, l.slot,
                lead(l.position) over (order by l.position) as next, lead(l.slot) over (order by l.position) as next_slot
            from iucore.event_log as l
        ) as r
        where r.slot = v_slot and (r.next is distinct from r.position + 1 or r.next_slot <> v_slot);
        -- Where things stand is the newest row: it moves on when it would go.
        insert into iucore.delivery_cursor (route, partition, mode, kind, position, failures, error, change_id)
        select c.route, c.partition, c.mode, 'done', c.position, c.failures, c.error, v_change.change_id
        from (
            select distinct on (n.route, n.partition, n.mode) n.*
            from iucore.delivery_cursor as n
            order by n.route, n.partition, n.mode, n.seq desc
        ) as c
        where c.slot = v_slot;
        insert into iucore.sequencer_batch (system_identifier, seen, window_end, last_event_id, position, hash, rebased_xid,
            change_id)
        select b.system_identifier, b.seen, b.window_end, b.last_event_id, b.position, b.hash, b.rebased_xid,
            v_change.change_id
        from (select q.* from iucore.sequencer_batch as q order by q.batch desc limit 1) as b
        where b.slot = v_slot;
        foreach v_table in array v_tables loop
            execute format('alter table iucore.%I disable trigger trg_%s_append_only', v_table || '_' || v_slot, v_table);
            execute format('truncate table iucore.%I', v_table || '_' || v_slot);
            execute format('alter table iucore.%I enable trigger trg_%s_append_only', v_table || '_' || v_slot, v_table);
        end loop;
        v_change.replayed := v_change.replayed || jsonb_build_object('slot', slot, 'events', events, 'attempts', attempts,
            'first_at', first_at, 'last_at', last_at);
        return next;
    end loop;
    if v_change.replayed <> '[]' then
        perform iucore.fn_iu_event_put('delivery', 'pruned', v_change.change_id, array['events'], array['events'],
            array[jsonb_build_object('before', p_before, 'quarters', v_change.replayed)]);
    end if;
    perform iucore.fn_iu_change_close(v_change.change_id, p_request_key,
        jsonb_build_object('slots', v_change.replayed));
end
$$;

alter function iucore.fn_iu_events_prune owner to iucore_owner;
comment on function iucore.fn_iu_events_prune is 'Empty the partitions of events that are old and dealt with.';
revoke execute on function iucore.fn_iu_events_prune from public;
grant execute on function iucore.fn_iu_events_prune to iucore_gatekeeper;
