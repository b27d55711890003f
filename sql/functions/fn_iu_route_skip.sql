create or replace function iucore.fn_iu_route_skip(
    p_route text,
    p_reason text,
    p_dead_letters bigint[] default null,
    p_positions bigint[] default null,
    p_upto bigint default null,
    p_actor text default null,
    p_request_key text default null
)
returns table (route text, events bigint, change_id bigint)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Gives events of a route up: dead letters by their numbers, which are closed; or events that wait to be sent again, by their
-- positions; or all up to p_upto, for which the route moves on. An event given up has an attempt skipped, but for those
-- that the route moves over: events is then the number of positions.
-- Locks: the row of the route, then its parts.
-- Raises: IU016, IU017, IU038, IU042, IU045, IU054, IU100, IU203, IU221.
declare
    v_change record;
    v_head bigint;
    v_unknown bigint;
    v_least bigint;
    v_skipped bigint[];
begin
    perform iucore.fn_iu_assert_read_committed();
    if num_nonnulls(p_dead_letters, p_positions, p_upto) <> 1 or p_upto < 1
        or cardinality(p_dead_letters) not between 1 and 10000 or cardinality(p_positions) not between 1 and 10000
    then
        raise exception using errcode = 'IU054', message = 'what to skip is unclear',
            detail = format('dead letters: %s, positions: %s, up to: %s',
                coalesce(cardinality(p_dead_letters)::text, 'null'), coalesce(cardinality(p_positions)::text, 'null'),
                coalesce(p_upto::text, 'null')),
            hint = 'Give 1 to 10000 dead letters, or as many positions, or one position up to which all is skipped.';
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
    select o.* into v_change
    from iucore.fn_iu_change_open('route_skip', p_route, p_reason, p_actor, p_request_key,
        case when p_request_key is not null then jsonb_build_array(p_route, p_dead_letters, p_positions, p_upto) end) as o;
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
    elsif p_positions is not null then
        select n into v_unknown
        from unnest(p_positions) as n
        where not exists (select from iucore.delivery_retry as r where r.route = p_route and r.position = n)
        order by n
        limit 1;
    end if;
    if p_upto is null and found then
        raise exception using errcode = 'IU045',
            message = case when p_positions is null then 'open dead letter not found' else 'no event waits there' end,
            detail = format('%s: %s, route: %s', case when p_positions is null then 'dead letter' else 'position' end,
                coalesce(v_unknown::text, 'null'), p_route),
            hint = 'Look with: iucore route show ROUTE; select * from iucore.v_dead_letter.';
    end if;
    if p_dead_letters is not null then
        with closed as (
            update iucore.dead_letter as d
            set closed_change = v_change.change_id
            where d.dead_letter = any(p_dead_letters)
            returning d.position
        )

        select array_agg(distinct c.position) into v_skipped from closed as c;
    else
        with gone as (
            delete from iucore.delivery_retry as r
            where r.route = p_route and (r.position = any(p_positions) or r.position <= p_upto)
            returning r.position
        )

        select array_agg(g.position) into v_skipped from gone as g;
    end if;
    -- A batch that is out and holds one of them loses its lease: its record would bring the event back.
    if p_dead_letters is null then
        perform iucore.fn_iu_delivery_fence(p_route, v_skipped, v_change.change_id);
    end if;
    insert into iucore.delivery_attempt (position, route, attempt, outcome)
    select n, p_route, 0, 'skipped' from unnest(v_skipped) as n order by n;
    events := coalesce(cardinality(v_skipped), 0)::bigint;
    if p_upto is not null then
        select min(p.position) into v_least
        from iucore.v_route_part as p
        where p.route = p_route;
        events := greatest(least(p_upto, v_head) - v_least, 0);
        -- Only parts that are behind; of the others none goes back.
        insert into iucore.delivery_cursor (route, partition, mode, kind, position, change_id)
        select p.route, p.partition, 'live', 'done', least(p_upto, v_head), v_change.change_id
        from iucore.v_route_part as p
        where p.route = p_route and p.position < least(p_upto, v_head)
        order by p.partition;
    end if;
    perform iucore.fn_iu_event_put('route', 'skipped', v_change.change_id, array[p_route], array[p_route],
        array[jsonb_strip_nulls(jsonb_build_object('dead_letters', cardinality(p_dead_letters),
            'positions', cardinality(p_positions), 'upto', p_upto, 'events', events))]);
    perform iucore.fn_iu_change_close(v_change.change_id, p_request_key, jsonb_build_object('events', events));
    return next;
end
$$;

alter function iucore.fn_iu_route_skip owner to iucore_owner;
comment on function iucore.fn_iu_route_skip is 'Give events of a route up.';
revoke execute on function iucore.fn_iu_route_skip from public;
grant execute on function iucore.fn_iu_route_skip to iucore_gatekeeper;
