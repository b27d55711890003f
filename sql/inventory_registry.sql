-- The inventory of the rows that came with iucore: gates, event types, routes. Read only; one statement for each kind,
-- since the tables came one after the other: the first line of a statement says which tables it reads. What users
-- register has a change and is data; it is not listed.
--
-- A switch is compared with its record: whether it stands as the newest governed switch left it, or as it was born when
-- there was none. So a governed switch is no difference, and an update of the row past the functions is one.
--
-- Rows are read as JSON: a column that somebody dropped or renamed is a difference, not an error.

-- gate: iucore.gate, iucore.gate_switch
select
    'gate' as kind,
    g.row ->> 'gate' as object,
    left(encode(sha256(convert_to(
        jsonb_build_array(
            g.row -> 'title',
            -- Born open, but for delivery.
            g.row -> 'is_open' = coalesce(s.row -> 'is_open', to_jsonb(g.row ->> 'gate' <> 'delivery')),
            g.row ->> 'change_id' is not distinct from s.row ->> 'change_id'
        )::text, 'UTF8'
    )), 'hex'), 32) as fingerprint
from (select to_jsonb(x) as row from iucore.gate as x) as g
left join lateral (
    select to_jsonb(x) as row
    from iucore.gate_switch as x
    where to_jsonb(x) ->> 'gate' = g.row ->> 'gate'
    order by (to_jsonb(x) ->> 'change_id')::bigint desc
    limit 1
) as s on true
where g.row ? 'gate';

-- event_type: iucore.event_type
select
    'event_type' as kind,
    t.row ->> 'event_type' as object,
    left(encode(sha256(convert_to(
        jsonb_build_array(t.row -> 'title', t.row -> 'delivery_lane', t.row -> 'is_delta')::text, 'UTF8'
    )), 'hex'), 32) as fingerprint
from (select to_jsonb(x) as row from iucore.event_type as x) as t
where t.row ? 'event_type' and t.row ->> 'change_id' is null;

-- route: iucore.route, iucore.route_switch
select
    'route' as kind,
    r.row ->> 'route' as object,
    left(encode(sha256(convert_to(
        jsonb_build_array(
            r.row -> 'event_type', r.row -> 'delivery_lane', r.row -> 'title',
            -- Born switched off.
            r.row -> 'execution_enabled' = coalesce(s.row -> 'execution_enabled', 'false'),
            r.row ->> 'switched_change' is not distinct from s.row ->> 'change_id'
        )::text, 'UTF8'
    )), 'hex'), 32) as fingerprint
from (select to_jsonb(x) as row from iucore.route as x) as r
left join lateral (
    select to_jsonb(x) as row
    from iucore.route_switch as x
    where to_jsonb(x) ->> 'route' = r.row ->> 'route'
    order by (to_jsonb(x) ->> 'change_id')::bigint desc
    limit 1
) as s on true
where r.row ? 'route' and r.row ->> 'change_id' is null;
