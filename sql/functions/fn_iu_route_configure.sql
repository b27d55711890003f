create or replace function iucore.fn_iu_route_configure(
    p_route text,
    p_transport text,
    p_reason text,
    p_target jsonb default '{}',
    p_networks text[] default '{}',
    p_subject_prefix text default null,
    p_axis text default null,
    p_axis_value text default null,
    p_ordered boolean default true,
    p_partitions integer default 1,
    p_max_attempts integer default 8,
    p_backoff_ms integer default 1000,
    p_backoff_cap_ms integer default 300000,
    p_actor text default null,
    p_request_key text default null
)
returns table (route text, transport text, change_id bigint, changed boolean)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Says how a route delivers: the whole of it, so that what is not given is as by default. It takes effect with the next batch.
-- p_target is for the transport and holds no secrets: names of environment variables of the worker. Without transport
-- (null) nothing can be sent. The number of partitions is fixed once the route was ready to send.
-- Locks: the row of the route.
-- Raises: IU006, IU016, IU017, IU039, IU042, IU054, IU100, IU203, IU222.
declare
    v_change record;
    v_before record;
    v_network text;
begin
    if p_transport is not null and p_transport !~ '^[a-z][a-z0-9_]{0,62}$' then
        raise exception using errcode = 'IU039', message = 'name of a transport invalid',
            detail = format('transport: %s', quote_literal(left(p_transport, 140))),
            hint = 'Use a lower-case letter followed by a-z 0-9 _: file, webhook, nats, kafka, or your own.';
    end if;
    if p_target is null or jsonb_typeof(p_target) <> 'object' or length(p_target::text) > 8000 then
        raise exception using errcode = 'IU039', message = 'target of a route invalid',
            detail = format('target: %s', left(coalesce(jsonb_typeof(p_target), 'null'), 80)),
            hint = 'Give a JSON object of at most 8000 characters.';
    end if;
    -- As URLs and keys of Standard Webhooks hold them.
    if p_target::text ~* '://[^/"@]*@|whsec_' then
        raise exception using errcode = 'IU039', message = 'target of a route holds a password or a key',
            detail = 'target: a URL with user or password, or a key for signatures',
            hint = 'Name an environment variable of the worker instead; who may see the route sees its target.';
    end if;
    p_networks := coalesce(p_networks, '{}');
    if array_ndims(p_networks) > 1 then
        raise exception using errcode = 'IU039', message = 'network of a route invalid',
            detail = format('networks: an array of %s dimensions', array_ndims(p_networks)),
            hint = 'Give networks in one row: {10.1.0.0/16,fd00::/8}.';
    end if;
    foreach v_network in array p_networks loop
        begin
            perform v_network::cidr;
            if v_network is null then
                raise invalid_text_representation;
            end if;
        exception
            when invalid_text_representation then
                raise exception using errcode = 'IU039', message = 'network of a route invalid',
                    detail = format('network: %s', coalesce(quote_literal(left(v_network, 80)), 'null')),
                    hint = 'Give networks as 10.1.0.0/16 or fd00::/8, without bits behind the mask.';
        end;
    end loop;
    if (p_subject_prefix is not null and not iucore.fn_iu_is_name(p_subject_prefix, 512))
        or (p_axis is null) <> (p_axis_value is null)
    then
        raise exception using errcode = 'IU039', message = 'filter of a route invalid',
            detail = format('subject prefix: %s, axis: %s, value: %s',
                coalesce(quote_literal(left(p_subject_prefix, 80)), 'null'),
                coalesce(quote_literal(left(p_axis, 80)), 'null'), coalesce(quote_literal(left(p_axis_value, 80)), 'null')),
            hint = 'Give a prefix of 1 to 512 characters or null, and an axis with its value or neither.';
    end if;
    if p_ordered is null or p_partitions is null or p_partitions not between 1 and 64
        or p_max_attempts is null or p_max_attempts not between 1 and 100
        or p_backoff_ms is null or p_backoff_ms not between 1 and 86400000
        or p_backoff_cap_ms is null or p_backoff_cap_ms not between p_backoff_ms and 86400000
    then
        raise exception using errcode = 'IU054', message = 'setting of a route out of range',
            detail = format('ordered: %s, partitions: %s, attempts: %s, backoff: %s to %s ms', p_ordered, p_partitions,
                p_max_attempts, p_backoff_ms, p_backoff_cap_ms),
            hint = 'Give 1 to 64 partitions, 1 to 100 attempts, and 1 to 86400000 milliseconds, the cap not below the first.';
    end if;
    perform from iucore.route as r where r.route = p_route for no key update;
    if not found then
        raise exception using errcode = 'IU042', message = 'route not found',
            detail = format('route: %s', coalesce(quote_literal(left(p_route, 140)), 'null')),
            hint = 'List routes with fn_iu_route_list (iucore route list).';
    end if;
    if p_axis is not null and not exists (select from iucore.axis as a where a.axis = p_axis) then
        raise exception using errcode = 'IU006', message = 'axis not registered',
            detail = format('axis: %s', quote_literal(left(p_axis, 140))),
            hint = 'List axes with fn_iu_axis_list (iucore axis list).';
    end if;
    select o.* into v_change
    from iucore.fn_iu_change_open('route_configure', p_route, p_reason, p_actor, p_request_key,
        case when p_request_key is not null then jsonb_build_array(p_route, p_transport, p_target, p_networks,
            p_subject_prefix, p_axis, p_axis_value, p_ordered, p_partitions, p_max_attempts, p_backoff_ms,
            p_backoff_cap_ms) end) as o;
    route := p_route;
    transport := p_transport;
    change_id := v_change.change_id;
    if v_change.replayed is not null then
        changed := (v_change.replayed ->> 'changed')::boolean;
        return next;
        return;
    end if;
    select s.* into v_before from iucore.v_route_setting as s where s.route = p_route;
    if v_before.partitions <> p_partitions
        and exists (select from iucore.route_partition as p where p.route = p_route)
    then
        raise exception using errcode = 'IU222', message = 'the number of partitions is fixed',
            detail = format('route: %s, partitions: %s, asked for: %s', p_route, v_before.partitions, p_partitions),
            hint = 'Subjects would change their part, and their order with it. Register another route, configure it, and '
                'switch it on; fn_iu_route_replay lets it begin earlier.';
    end if;
    changed := v_before.change_id is null
        or (v_before.transport, v_before.target, v_before.networks, v_before.subject_prefix, v_before.axis,
            v_before.axis_value, v_before.ordered, v_before.partitions, v_before.max_attempts, v_before.backoff_ms,
            v_before.backoff_cap_ms)
        is distinct from (p_transport, p_target, p_networks, p_subject_prefix, p_axis, p_axis_value, p_ordered, p_partitions,
            p_max_attempts, p_backoff_ms, p_backoff_cap_ms);
    if changed then
        insert into iucore.route_setting (change_id, route, transport, target, networks, subject_prefix, axis, axis_value,
            ordered, partitions, max_attempts, backoff_ms, backoff_cap_ms)
        values (v_change.change_id, p_route, p_transport, p_target, p_networks, p_subject_prefix, p_axis, p_axis_value,
            p_ordered, p_partitions, p_max_attempts, p_backoff_ms, p_backoff_cap_ms);
        perform iucore.fn_iu_route_arm(p_route, v_change.change_id);
        -- Without the target: an event goes further than the database.
        perform iucore.fn_iu_event_put('route', 'configured', v_change.change_id, array[p_route], array[p_route],
            array[jsonb_build_object('transport', p_transport)]);
    end if;
    perform iucore.fn_iu_change_close(v_change.change_id, p_request_key, jsonb_build_object('changed', changed));
    return next;
end
$$;

alter function iucore.fn_iu_route_configure owner to iucore_owner;
comment on function iucore.fn_iu_route_configure is 'Say how a route delivers.';
revoke execute on function iucore.fn_iu_route_configure from public;
grant execute on function iucore.fn_iu_route_configure to iucore_gatekeeper;
