-- Drops what this revision made, in reverse. Refuses while rows would be lost, unless the setting
-- iucore.undo_may_lose_rows is 'on' (iucore db downgrade REVISION --lose-rows).
lock table iucore.axis, iucore.unit_axis, iucore.collection_axis in access exclusive mode;

do $$
declare
    v_rows bigint;
begin
    if coalesce(current_setting('iucore.undo_may_lose_rows', true), '') <> 'on' then
        select (select count(*) from iucore.axis)
            + (select count(*) from iucore.unit_axis)
            + (select count(*) from iucore.collection_axis)
        into v_rows;
        if v_rows > 0 then
            raise exception using errcode = 'IU903', message = 'going back would lose rows',
                detail = format('revision: 0004, rows: %s in axis, unit_axis, collection_axis', v_rows),
                hint = 'Keep them with: pg_dump --format=custom --no-toast-compression --schema=iucore --file=iucore.dump '
                    'DATABASE. Then go back with: iucore db downgrade REVISION --lose-rows';
        end if;
    end if;
end
$$;

drop function iucore.fn_iu_axis_refresh;
drop function iucore.fn_iu_collection_axes;
drop function iucore.fn_iu_axis_set;
drop function iucore.fn_iu_axis_show;
drop function iucore.fn_iu_axis_list;
drop function iucore.fn_iu_axis_register;
drop table iucore.collection_axis;
drop table iucore.unit_axis;
drop table iucore.axis;
