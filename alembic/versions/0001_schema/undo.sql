-- Drops what this revision made, in reverse. Refuses while rows would be lost, unless the setting
-- iucore.undo_may_lose_rows is 'on' (iucore db downgrade REVISION --lose-rows).
lock table iucore.change, iucore.change_result in access exclusive mode;

do $$
declare
    v_rows bigint;
begin
    if coalesce(current_setting('iucore.undo_may_lose_rows', true), '') <> 'on' then
        select (select count(*) from iucore.change)
            + (select count(*) from iucore.change_result)
        into v_rows;
        if v_rows > 0 then
            raise exception using errcode = 'IU903', message = 'going back would lose rows',
                detail = format('revision: 0001, rows: %s in change, change_result', v_rows),
                hint = 'Keep them with: pg_dump --format=custom --no-toast-compression --schema=iucore --file=iucore.dump '
                    'DATABASE. Then go back with: iucore db downgrade REVISION --lose-rows';
        end if;
    end if;
end
$$;

drop view iucore.v_change;
drop function iucore.fn_iu_change_close;
drop function iucore.fn_iu_change_open;
drop function iucore.fn_iu_assert_attributes;
drop function iucore.fn_iu_assert_title;
drop function iucore.fn_iu_assert_address;
drop function iucore.fn_iu_text;
drop function iucore.fn_iu_text_prefix;
drop function iucore.fn_iu_uuid7;
drop table iucore.change_result;
drop table iucore.change;
drop function iucore.fn_iu_is_attributes;
drop function iucore.fn_iu_is_name;
drop function iucore.fn_iu_is_address;
drop function iucore.fn_iu_limit;
drop schema iucore;

do $$
begin
    if pg_catalog.to_regclass('public.iucore_alembic_version') is not null then
        revoke select on table public.iucore_alembic_version from iucore_reader;
    end if;
end
$$;
