-- The next one has one more argument, and no function is overloaded. Run on the way up and on the way back.
drop function iucore.fn_iu_version_put;
