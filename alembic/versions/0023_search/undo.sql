-- Drops what this revision made. No row is lost.
drop function iucore.fn_iu_search;
