create or replace function iucore.fn_iu_event_type_register(
    p_event_type text,
    p_title text,
    p_lane text,
    p_delta boolean,
    p_reason text,
    p_actor text default null,
    p_request_key text default null
)
returns table (event_type text, title text, delivery_lane text, is_delta boolean, change_id bigint)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- A new event type on its lane. Registering the same again is the same fact and changes nothing.
-- Raises: IU011, IU016, IU017, IU034, IU035, IU037, IU100, IU203, IU206.
declare
    v_change record;
begin
    if p_event_type is null or p_event_type collate "C" !~ '^[a-z][a-z0-9_]{0,62}[.][a-z][a-z0-9_]{0,62}$'
        or p_lane is null or p_lane not in ('immediate', 'delayed')
    then
        raise exception using errcode = 'IU034', message = 'event type invalid',
            detail = format('event type: %s, lane: %s', coalesce(quote_literal(left(p_event_type, 140)), 'null'),
                coalesce(quote_literal(left(p_lane, 40)), 'null')),
            hint = 'Name it as subject.what_happened, each a lower-case letter followed by a-z 0-9 _; the lane is immediate '
                'or delayed.';
    end if;
    if iucore.fn_iu_is_reserved(p_event_type) then
        raise exception using errcode = 'IU034', message = 'name of an event type reserved',
            detail = format('event type: %s', p_event_type),
            hint = 'iucore names the events of this subject itself; begin with a subject of your own.';
    end if;
    if p_delta is null then
        raise exception using errcode = 'IU037', message = 'state of a switch missing', detail = 'delta: null',
            hint = 'Say true when each event is a different change of its subject, false when it is a fact that happens once.';
    end if;
    if p_delta and p_lane = 'immediate' then
        raise exception using errcode = 'IU035', message = 'lane would lose events',
            detail = format('event type: %s, lane: immediate, each event is a different change of its subject', p_event_type),
            hint = 'The immediate lane keeps one event of a type for each subject, and drops every one after the first: register '
                'the type on the lane delayed.';
    end if;
    perform iucore.fn_iu_assert_title(p_title);
    select o.* into v_change
    from iucore.fn_iu_change_open('event_type_register', p_event_type, p_reason, p_actor, p_request_key,
        case when p_request_key is not null then jsonb_build_array(p_event_type, p_title, p_lane, p_delta) end) as o;
    if v_change.replayed is null then
        insert into iucore.event_type (event_type, title, delivery_lane, is_delta, change_id)
        values (p_event_type, p_title, p_lane, p_delta, v_change.change_id)
        on conflict on constraint pk_event_type do nothing;
        if found then
            perform iucore.fn_iu_event_put('event_type', 'registered', v_change.change_id, array[p_event_type], array[p_event_type],
                array[jsonb_build_object('lane', p_lane)]);
        end if;
        perform iucore.fn_iu_change_close(v_change.change_id, p_request_key, '{}');
    end if;
    return query
    select t.event_type, t.title, t.delivery_lane, t.is_delta, t.change_id
    from iucore.event_type as t
    where t.event_type = p_event_type and t.title = p_title and t.delivery_lane = p_lane and t.is_delta = p_delta;
    if not found then
        raise exception using errcode = 'IU206', message = 'event type is registered with another meaning',
            detail = format('event type: %s', p_event_type), hint = 'Choose another name for the event type.';
    end if;
end
$$;

alter function iucore.fn_iu_event_type_register owner to iucore_owner;
comment on function iucore.fn_iu_event_type_register is 'Register an event type on its lane.';
revoke execute on function iucore.fn_iu_event_type_register from public;
grant execute on function iucore.fn_iu_event_type_register to iucore_gatekeeper;
