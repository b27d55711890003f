-- Drops what this revision made; the functions before it are back already. No row is lost: events stay in the outbox.
drop view iucore.v_collection_status;
drop view iucore.v_composer_event;
drop function iucore.fn_iu_composer_emit;
drop function iucore.fn_iu_composer_assert_gate;
