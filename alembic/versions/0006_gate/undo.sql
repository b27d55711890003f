-- Drops what this revision made, in reverse. Refuses while rows would be lost, unless the setting
-- iucore.undo_may_lose_rows is 'on' (iucore db downgrade REVISION --lose-rows).
lock table iucore.gate, iucore.gate_switch in access exclusive mode;

do $$
declare
    v_rows bigint;
begin
    if coalesce(current_setting('iucore.undo_may_lose_rows', true), '') <> 'on' then
        select (select count(*) from iucore.gate_switch)
        into v_rows;
        if v_rows > 0 then
            raise exception using errcode = 'IU903', message = 'going back would lose rows',
                detail = format('revision: 0006, rows: %s in gate_switch', v_rows),
                hint = 'Keep them with: pg_dump --format=custom --no-toast-compression --schema=iucore --file=iucore.dump '
                    'DATABASE. Then go back with: iucore db downgrade REVISION --lose-rows';
        end if;
    end if;
end
$$;

drop function iucore.fn_iu_gate_set;
drop function iucore.fn_iu_gate_list;
drop function iucore.fn_iu_gate_history;
drop function iucore.fn_iu_assert_gate;
drop table iucore.gate_switch;
drop table iucore.gate;
