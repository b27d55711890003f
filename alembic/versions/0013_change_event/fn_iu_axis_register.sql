create or replace function iucore.fn_iu_axis_register(
    p_axis text,
    p_title text,
    p_rule text,
    p_reason text,
    p_values text[] default null,
    p_actor text default null,
    p_request_key text default null
)
returns table (axis text, title text, rule text, axis_values text[], change_id bigint)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- A new axis. Values, when given, are the only ones allowed, lowest first; the rule highest needs them. Registering
-- the same again is the same fact and changes nothing.
-- Raises: IU011, IU016, IU017, IU024, IU100, IU203, IU206.
declare
    v_change record;
begin
    perform iucore.fn_iu_assert_title(p_title);
    if p_axis is null or p_axis !~ '^[a-z][a-z0-9_-]{0,62}$'
        or p_rule is null or p_rule not in ('union', 'intersection', 'highest', 'latest')
        or (p_rule = 'highest' and p_values is null)
        or cardinality(p_values) = 0 or array_ndims(p_values) > 1
        or exists (select from unnest(p_values) as v (value) where not iucore.fn_iu_is_name(v.value, 200))
        or (select count(*) > count(distinct v.value) from unnest(p_values) as v (value))
    then
        raise exception using errcode = 'IU024', message = 'axis invalid',
            detail = format('axis: %s, rule: %s, values: %s', coalesce(p_axis, 'null'), coalesce(p_rule, 'null'),
                coalesce(left(p_values::text, 200), 'null')),
            hint = 'A name is a lower-case letter followed by a-z 0-9 _ -; the rule is union, intersection, highest (which '
                'needs values, lowest first) or latest; values are distinct lines of 1 to 200 characters.';
    end if;
    select o.* into v_change
    from iucore.fn_iu_change_open('axis_register', p_axis, p_reason, p_actor, p_request_key,
        case when p_request_key is not null then jsonb_build_array(p_axis, p_title, p_rule, p_values) end) as o;
    if v_change.replayed is null then
        insert into iucore.axis (axis, title, rule, axis_values, change_id)
        values (p_axis, p_title, p_rule, p_values, v_change.change_id)
        on conflict on constraint pk_axis do nothing;
        if found then
            perform iucore.fn_iu_event_put('axis', 'registered', v_change.change_id, array[p_axis], array[p_axis],
                array[jsonb_build_object('title', p_title, 'rule', p_rule)]);
        end if;
        perform iucore.fn_iu_change_close(v_change.change_id, p_request_key, '{}');
    end if;
    return query
    select a.axis, a.title, a.rule, a.axis_values, a.change_id
    from iucore.axis as a
    where a.axis = p_axis and a.title = p_title and a.rule = p_rule and a.axis_values is not distinct from p_values;
    if not found then
        raise exception using errcode = 'IU206', message = 'axis is registered with another meaning',
            detail = format('axis: %s', p_axis), hint = 'Choose another name for the axis.';
    end if;
end
$$;

alter function iucore.fn_iu_axis_register owner to iucore_owner;
comment on function iucore.fn_iu_axis_register is 'Register an axis and the rule by which collections derive it.';
revoke execute on function iucore.fn_iu_axis_register from public;
grant execute on function iucore.fn_iu_axis_register to iucore_operator;
