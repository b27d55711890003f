-- Drops what this revision made, in reverse. Refuses while rows would be lost, unless the setting
-- iucore.undo_may_lose_rows is 'on' (iucore db downgrade REVISION --lose-rows).
lock table iucore.collection_deletion in access exclusive mode;

do $$
declare
    v_rows bigint;
begin
    if coalesce(current_setting('iucore.undo_may_lose_rows', true), '') <> 'on' then
        select (select count(*) from iucore.collection_deletion)
        into v_rows;
        if v_rows > 0 then
            raise exception using errcode = 'IU903', message = 'going back would lose rows',
                detail = format('revision: 0016, rows: %s in collection_deletion', v_rows),
                hint = 'Keep them with: pg_dump --format=custom --no-toast-compression --schema=iucore --file=iucore.dump '
                    'DATABASE. Then go back with: iucore db downgrade REVISION --lose-rows';
        end if;
    end if;
end
$$;

-- The two types, with their routes; refuses while a switch of these would be lost. Events stay in the outbox.
lock table iucore.event_type, iucore.route, iucore.route_switch in access exclusive mode;

do $$
declare
    v_types text[] := array(select t.event_type from iucore.event_type as t where t.event_type in ('collection.soft_deleted', 'collection.restored'));
    v_routes text[] := array(select r.route from iucore.route as r where r.event_type = any(v_types));
    v_rows bigint;
begin
    if coalesce(current_setting('iucore.undo_may_lose_rows', true), '') <> 'on' then
        select (select count(*) from iucore.route_switch as s where s.route = any(v_routes))
            + (select count(*) from iucore.route as r where r.route = any(v_routes) and r.change_id is not null)
        into v_rows;
        if v_rows > 0 then
            raise exception using errcode = 'IU903', message = 'going back would lose rows',
                detail = format('revision: 0016, rows: %s in route, route_switch', v_rows),
                hint = 'Keep them with: pg_dump --format=custom --no-toast-compression --schema=iucore --file=iucore.dump '
                    'DATABASE. Then go back with: iucore db downgrade REVISION --lose-rows';
        end if;
    end if;
    delete from iucore.route_switch as s where s.route = any(v_routes);
    delete from iucore.route as r where r.route = any(v_routes);
    delete from iucore.event_type as t where t.event_type = any(v_types);
end
$$;

drop function iucore.fn_iu_collection_restore;
drop function iucore.fn_iu_collection_soft_delete;
drop function iucore.fn_iu_refuse_deleted_collection;
drop function iucore.fn_iu_collection_find;
-- A view cannot lose columns by being replaced.
drop view iucore.v_collection_status;
drop view iucore.v_collection;
drop table iucore.collection_deletion;
update iucore.collection as c set deleted_change = null where c.deleted_change is not null;
