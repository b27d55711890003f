-- Refuses while a route of every type would be lost, unless the setting iucore.undo_may_lose_rows is 'on' (iucore db
-- downgrade REVISION --lose-rows).
lock table iucore.route, iucore.route_switch in access exclusive mode;

do $$
declare
    v_rows bigint;
begin
    if coalesce(current_setting('iucore.undo_may_lose_rows', true), '') <> 'on' then
        select count(*) into v_rows from iucore.route as r where r.event_type is null;
        if v_rows > 0 then
            raise exception using errcode = 'IU903', message = 'going back would lose rows',
                detail = format('revision: 0021, rows: %s in route', v_rows),
                hint = 'Keep them with: pg_dump --format=custom --no-toast-compression --schema=iucore --file=iucore.dump '
                    'DATABASE. Then go back with: iucore db downgrade REVISION --lose-rows';
        end if;
    end if;
    delete from iucore.route_switch as s where s.route in (select r.route from iucore.route as r where r.event_type is null);
    delete from iucore.route as r where r.event_type is null;
end
$$;

alter table iucore.route drop constraint ck_route_type;
-- squawk-ignore adding-not-nullable-field
alter table iucore.route alter column event_type set not null;
-- squawk-ignore adding-not-nullable-field
alter table iucore.route alter column delivery_lane set not null;
comment on column iucore.route.event_type is 'The type whose events take it.';
comment on column iucore.route.delivery_lane is 'The lane of the type.';
