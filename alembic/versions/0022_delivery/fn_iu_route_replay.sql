create or replace function iucore.fn_iu_route_replay(
    p_route text,
    p_reason text,
    p_dead_letters bigint[] default null,
    p_first bigint default null,
    p_last bigint default null,
    p_actor text default null,
    p_request_key text default null
)
returns table (route text, events bigint, change_id bigint)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Sends events of a route again: dead letters by their numbers; or the positions from p_first to p_last, at most 10000 events;
-- or all from p_first on (p_last null), for which the route goes back. They count their attempts anew. Receivers may hear
-- again what they heard: they know an event by its id.
-- Locks: the row of the route, then its parts.
-- Raises: IU016, IU017, IU038, IU042, IU045, IU054, IU100, IU203, IU221.
declare
    v_change record;
    v_head bigint;
    v_unknown bigint;
    v_again bigint;
    v_positions bigint[];
begin
    perform iucore.fn_iu_assert_read_committed();
    if num_nonnulls(p_dead_letters, p_first) <> 1 or (p_last is not null and (p_first is null or p_last < p_first))
        or p_first < 1 or cardinality(p_dead_letters) not between 1 and 10000
    then
        raise exception using errcode = 'IU054', message = 'what to replay is unclear',
            detail = format('dead letters: %s, first: %s, last: %s', coalesce(cardinality(p_dead_letters)::text, 'null'),
                coalesce(p_first::text, 'null'), coalesce(p_last::text, 'null')),
            hint = 'Give 1 to 10000 dead letters, or a first and a last position, or a first position alone.';
    end if;
    perform from iucore.route as r where r.route = p_route for no key update;
    if not found then
        raise exception using errcode = 'IU042', message = 'route not found',
            detail = format('route: %s', coalesce(quote_literal(left(p_route, 140)), 'null')),
            hint = 'List routes with fn_iu_route_list (iucore route list).';
    end if;
    perform from iucore.route_partition as p where p.route = p_route order by p.partition for update;
    if not found then
        raise exception using errcode = 'IU221', message = 'route was never ready to send',
            detail = format('route: %s', p_route),
            hint = 'Configure it (iucore route configure) and switch it on (iucore route on) first.';
    end if;
    select coalesce(max(l.position), 0) into v_head
    from (select e.position from iucore.event_log as e order by e.position desc limit 1) as l;
    if p_first > v_head then
        raise exception using errcode = 'IU054', message = 'nothing to replay there',
            detail = format('first: %s, end of the ledger: %s', p_first, v_head),
            hint = 'Positions are counted from 1 to the end of the ledger (iucore events tail).';
    end if;
    select o.* into v_change
    from iucore.fn_iu_change_open('route_replay', p_route, p_reason, p_actor, p_request_key,
        case when p_request_key is not null then jsonb_build_array(p_route, p_dead_letters, p_first, p_last) end) as o;
    route := p_route;
    change_id := v_change.change_id;
    if v_change.replayed is not null then
        events := (v_change.replayed ->> 'events')::bigint;
        return next;
        return;
    end if;
    if p_dead_letters is not null then
        select n into v_unknown
        from unnest(p_dead_letters) as n
        where not exists (
            select from iucore.dead_letter as d
            where d.dead_letter = n and d.route = p_route and d.closed_change is null
        )
        order by n
        limit 1;
        if found then
            raise exception using errcode = 'IU045', message = 'open dead letter not found',
                detail = format('dead letter: %s, route: %s', coalesce(v_unknown::text, 'null'), p_route),
                hint = 'List them with: select * from iucore.v_dead_letter (iucore route dead ROUTE).';
        end if;
        with closed as (
            update iucore.dead_letter as d
            set closed_change = v_change.change_id
            where d.dead_letter = any(p_dead_letters)
            returning d.position
        )

        select array_agg(distinct c.position order by c.position) into v_positions from closed as c;
    elsif p_last is not null then
        select f.positions into v_positions
        from iucore.fn_iu_route_range(p_route, p_first - 1, least(p_last, v_head), 10001) as f;
        if cardinality(v_positions) > 10000 then
            raise exception using errcode = 'IU054', message = 'range to replay too large',
                detail = format('route: %s, more than 10000 events from %s to %s', p_route, p_first, p_last),
                hint = 'Replay smaller ranges, or all from a position on.';
        end if;
    else
        -- Everything behind the new place comes again in its order: nothing is left to be sent apart.
        delete from iucore.delivery_retry as r where r.route = p_route and r.position >= p_first;
        -- Only parts that are further, or whose batch reaches further: none moves on.
        insert into iucore.delivery_cursor (route, partition, mode, kind, position, change_id)
        select p.route, p.partition, 'live', 'done', least(p.position, p_first - 1), v_change.change_id
        from iucore.v_route_part as p
        where p.route = p_route and coalesce(p.upto, p.position) > p_first - 1
        order by p.partition;
        events := greatest(v_head - p_first + 1, 0);
    end if;
    if p_dead_letters is not null or p_last is not null then
        -- A batch that is out loses its lease: what it holds of them would be recorded as sent, now or before. Of the log it
        -- comes again as a whole.
        v_again := iucore.fn_iu_delivery_fence(p_route, v_positions, v_change.change_id);
        -- Only what the cursor of its part has passed: the rest is sent anyway.
        insert into iucore.delivery_retry as r (route, position, partition, subject, state, attempts, next_at)
        select p_route, l.position, n.partition, l.subject, 'replay', 0, clock_timestamp()
        from iucore.event_log as l
        cross join (select v.partitions from iucore.v_route_setting as v where v.route = p_route) as s
        join iucore.v_route_part as n
            on n.route = p_route and n.position >= l.position
            and n.partition = (hashtextextended(l.subject, 0) & 9223372036854775807) % s.partitions
        where l.position = any(v_positions)
        order by l.position
        on conflict on constraint pk_delivery_retry do update
        set state = excluded.state, attempts = 0, next_at = excluded.next_at, error = null;
        get diagnostics events = row_count;
        events := events + coalesce(v_again, 0);
    end if;
    perform iucore.fn_iu_event_put('route', 'replayed', v_change.change_id, array[p_route], array[p_route],
        array[jsonb_strip_nulls(jsonb_build_object('dead_letters', cardinality(p_dead_letters), 'first', p_first,
            'last', p_last, 'events', events))]);
    perform iucore.fn_iu_change_close(v_change.change_id, p_request_key, jsonb_build_object('events', events));
    return next;
end
$$;

alter function iucore.fn_iu_route_replay owner to iucore_owner;
comment on function iucore.fn_iu_route_replay is 'Send events of a route again.';
revoke execute on function iucore.fn_iu_route_replay from public;
grant execute on function iucore.fn_iu_route_replay to iucore_gatekeeper;
