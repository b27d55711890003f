-- Drops what this revision made. No row is lost.
drop function iucore.fn_iu_show_many;
drop function iucore.fn_iu_export_pieces;
drop function iucore.fn_iu_export_collections;
