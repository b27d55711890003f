-- Drops what this revision made, in reverse. Refuses while rows would be lost, unless the setting
-- iucore.undo_may_lose_rows is 'on' (iucore db downgrade REVISION --lose-rows).
lock table iucore.event_outbox, iucore.event_type, iucore.route, iucore.route_switch in access exclusive mode;

do $$
declare
    v_rows bigint;
begin
    if coalesce(current_setting('iucore.undo_may_lose_rows', true), '') <> 'on' then
        select (select count(*) from iucore.event_outbox)
            + (select count(*) from iucore.event_type)
            + (select count(*) from iucore.route)
            + (select count(*) from iucore.route_switch)
        into v_rows;
        if v_rows > 0 then
            raise exception using errcode = 'IU903', message = 'going back would lose rows',
                detail = format('revision: 0007, rows: %s in event_outbox, event_type, route, route_switch', v_rows),
                hint = 'Keep them with: pg_dump --format=custom --no-toast-compression --schema=iucore --file=iucore.dump '
                    'DATABASE. Then go back with: iucore db downgrade REVISION --lose-rows';
        end if;
    end if;
end
$$;

drop function iucore.fn_iu_event_list;
drop function iucore.fn_iu_registry_check;
drop function iucore.fn_iu_route_list;
drop function iucore.fn_iu_route_set;
drop function iucore.fn_iu_route_register;
drop function iucore.fn_iu_event_type_list;
drop function iucore.fn_iu_event_type_register;
drop function iucore.fn_iu_is_reserved;
drop function iucore.fn_iu_event_put;
drop view iucore.v_event;
drop table iucore.event_outbox;
drop function iucore.fn_iu_refuse_rewrite;
drop table iucore.route_switch;
drop table iucore.route;
drop table iucore.event_type;
