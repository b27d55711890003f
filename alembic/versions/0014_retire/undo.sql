-- Drops what this revision made; the functions before it are back already. No row is lost.
drop function iucore.fn_iu_retire;
