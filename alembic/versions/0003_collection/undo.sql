-- Drops what this revision made, in reverse. Refuses while rows would be lost, unless the setting
-- iucore.undo_may_lose_rows is 'on' (iucore db downgrade REVISION --lose-rows).
lock table iucore.collection, iucore.collection_member in access exclusive mode;

do $$
declare
    v_rows bigint;
begin
    if coalesce(current_setting('iucore.undo_may_lose_rows', true), '') <> 'on' then
        select (select count(*) from iucore.collection)
            + (select count(*) from iucore.collection_member)
        into v_rows;
        if v_rows > 0 then
            raise exception using errcode = 'IU903', message = 'going back would lose rows',
                detail = format('revision: 0003, rows: %s in collection, collection_member', v_rows),
                hint = 'Keep them with: pg_dump --format=custom --no-toast-compression --schema=iucore --file=iucore.dump '
                    'DATABASE. Then go back with: iucore db downgrade REVISION --lose-rows';
        end if;
    end if;
end
$$;

drop function iucore.fn_iu_collection_validate;
drop function iucore.fn_iu_collection_where_used;
drop function iucore.fn_iu_where_used;
drop function iucore.fn_iu_standing_in;
drop function iucore.fn_iu_collection_history;
drop function iucore.fn_iu_collection_members;
drop function iucore.fn_iu_collection_list;
drop function iucore.fn_iu_collection_show;
drop function iucore.fn_iu_collection_rebalance;
drop function iucore.fn_iu_step_set;
drop function iucore.fn_iu_collection_replace;
drop function iucore.fn_iu_collection_unpin;
drop function iucore.fn_iu_collection_pin;
drop function iucore.fn_iu_collection_reorder;
drop function iucore.fn_iu_collection_remove;
drop function iucore.fn_iu_collection_add;
drop function iucore.fn_iu_collection_create;
drop function iucore.fn_iu_composer_close;
drop function iucore.fn_iu_composer_open;
drop function iucore.fn_iu_is_nested;
drop function iucore.fn_iu_assert_nesting;
drop function iucore.fn_iu_nesting_lock;
drop function iucore.fn_iu_assert_label_free;
drop function iucore.fn_iu_assert_step;
drop function iucore.fn_iu_rank_at;
drop function iucore.fn_iu_ranks_spread;
drop function iucore.fn_iu_rank_between;
drop function iucore.fn_iu_rank_decode;
drop function iucore.fn_iu_rank_encode;
drop function iucore.fn_iu_member_address;
drop function iucore.fn_iu_member_put;
drop function iucore.fn_iu_member_find;
drop function iucore.fn_iu_render_workflow;
drop function iucore.fn_iu_workflow_reached;
drop function iucore.fn_iu_workflow_ways;
drop function iucore.fn_iu_mermaid_text;
drop function iucore.fn_iu_render_pieces;
drop function iucore.fn_iu_render;
drop function iucore.fn_iu_refuse_content;
drop function iucore.fn_iu_assert_render;
drop function iucore.fn_iu_collection_measure;
drop function iucore.fn_iu_pieces_at;
drop function iucore.fn_iu_members_at;
drop function iucore.fn_iu_is_open;
drop function iucore.fn_iu_as_of;
drop function iucore.fn_iu_collection_id;
drop view iucore.v_collection;
drop table iucore.nesting_guard;
drop table iucore.collection_member;
drop table iucore.collection;
