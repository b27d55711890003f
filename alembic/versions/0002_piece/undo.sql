-- Drops what this revision made, in reverse. Refuses while rows would be lost, unless the setting
-- iucore.undo_may_lose_rows is 'on' (iucore db downgrade REVISION --lose-rows).
lock table iucore.unit_content, iucore.information_unit, iucore.unit_version, iucore.unit_kind in access exclusive mode;

do $$
declare
    v_rows bigint;
begin
    if coalesce(current_setting('iucore.undo_may_lose_rows', true), '') <> 'on' then
        select (select count(*) from iucore.unit_content)
            + (select count(*) from iucore.information_unit)
            + (select count(*) from iucore.unit_version)
            + (select count(*) from iucore.unit_kind where change_id is not null)
        into v_rows;
        if v_rows > 0 then
            raise exception using errcode = 'IU903', message = 'going back would lose rows',
                detail = format('revision: 0002, rows: %s in unit_content, information_unit, unit_version, unit_kind', v_rows),
                hint = 'Keep them with: pg_dump --format=custom --no-toast-compression --schema=iucore --file=iucore.dump '
                    'DATABASE. Then go back with: iucore db downgrade REVISION --lose-rows';
        end if;
    end if;
end
$$;

drop function iucore.fn_iu_find_content;
drop function iucore.fn_iu_list;
drop function iucore.fn_iu_diff_input;
drop function iucore.fn_iu_history;
drop function iucore.fn_iu_kind_list;
drop function iucore.fn_iu_kind_register;
drop function iucore.fn_iu_clone;
drop function iucore.fn_iu_lifecycle_set;
drop function iucore.fn_iu_edit;
drop function iucore.fn_iu_version_put;
drop function iucore.fn_iu_create_many;
drop function iucore.fn_iu_create;
drop function iucore.fn_iu_refuse_pieces;
drop function iucore.fn_iu_show;
drop function iucore.fn_iu_unit_id;
drop function iucore.fn_iu_assert_kind;
drop function iucore.fn_iu_refuse_unknown_piece;
drop function iucore.fn_iu_refuse_address;
drop function iucore.fn_iu_piece_row;
drop function iucore.fn_iu_content_put;
drop function iucore.fn_iu_refuse_json;
drop function iucore.fn_iu_assert_body;
drop view iucore.v_piece;
alter table iucore.information_unit drop constraint fk_information_unit_source;
drop table iucore.unit_version;
drop table iucore.information_unit;
drop table iucore.unit_content;
drop table iucore.unit_kind;
