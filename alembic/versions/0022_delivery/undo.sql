-- Drops what this revision made, in reverse. Refuses while rows would be lost, unless the setting
-- iucore.undo_may_lose_rows is 'on' (iucore db downgrade REVISION --lose-rows).
do $$
begin
    lock table iucore.change in share row exclusive mode;
    lock table iucore.event_type, iucore.route, iucore.route_switch, iucore.route_setting, iucore.route_partition,
        iucore.delivery_cursor, iucore.delivery_attempt, iucore.delivery_retry, iucore.dead_letter in access exclusive mode;
end
$$;

do $$
declare
    v_types text[] := array['route.configured', 'route.replayed', 'route.skipped', 'delivery.pruned'];
    v_routes text[] := array(select r.route from iucore.route as r where r.event_type = any(v_types));
    v_rows bigint;
begin
    if coalesce(current_setting('iucore.undo_may_lose_rows', true), '') <> 'on' then
        select (select count(*) from iucore.route_setting) + (select count(*) from iucore.delivery_cursor)
            + (select count(*) from iucore.delivery_attempt) + (select count(*) from iucore.dead_letter)
            + (select count(*) from iucore.route_switch as s where s.route = any(v_routes))
            + (select count(*) from iucore.route as r where r.route = any(v_routes) and r.change_id is not null)
        into v_rows;
        if v_rows > 0 then
            raise exception using errcode = 'IU903', message = 'going back would lose rows',
                detail = format('revision: 0022, rows: %s in route_setting, delivery_cursor, delivery_attempt, dead_letter, '
                    'route, route_switch', v_rows),
                hint = 'Keep them with: pg_dump --format=custom --no-toast-compression --schema=iucore --file=iucore.dump '
                    'DATABASE. Then go back with: iucore db downgrade REVISION --lose-rows';
        end if;
    end if;
    delete from iucore.delivery_retry;
    delete from iucore.route_switch as s where s.route = any(v_routes);
end
$$;

drop view iucore.v_dead_letter;
drop view iucore.v_delivery_attempt;
drop view iucore.v_route_health;
drop view iucore.v_outbox_health;
drop function iucore.fn_iu_route_lag;
drop function iucore.fn_iu_wake;
drop function iucore.fn_iu_events_prune;
drop function iucore.fn_iu_prune_blocker;
drop function iucore.fn_iu_route_skip;
drop function iucore.fn_iu_route_replay;
drop function iucore.fn_iu_delivery_dry_run;
drop function iucore.fn_iu_dry_run_position;
drop function iucore.fn_iu_delivery_record;
drop function iucore.fn_iu_delivery_renew;
drop function iucore.fn_iu_delivery_allowed;
drop function iucore.fn_iu_delivery_take;
drop function iucore.fn_iu_delivery_fence;
drop function iucore.fn_iu_delivery_due;
drop function iucore.fn_iu_delivery_defer;
drop function iucore.fn_iu_delivery_fail;
drop function iucore.fn_iu_backoff;
drop function iucore.fn_iu_delivery_claim;
drop function iucore.fn_iu_route_show;
drop function iucore.fn_iu_route_configure;
drop function iucore.fn_iu_route_arm;
drop function iucore.fn_iu_route_range;
drop function iucore.fn_iu_route_positions;
drop view iucore.v_route_part;
drop view iucore.v_route_setting;
drop table iucore.dead_letter;
drop table iucore.delivery_retry;
drop table iucore.delivery_attempt;
drop table iucore.delivery_cursor;
drop table iucore.route_partition;
drop table iucore.route_setting;
delete from iucore.route as r
where r.event_type in ('route.configured', 'route.replayed', 'route.skipped', 'delivery.pruned');
delete from iucore.event_type as t
where t.event_type in ('route.configured', 'route.replayed', 'route.skipped', 'delivery.pruned');
