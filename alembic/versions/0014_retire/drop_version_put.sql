-- The next one has one more argument, and no function is overloaded. Run on the way up and on the way back. No client may
-- call it: it is internal.
-- squawk-ignore ban-drop-function
drop function iucore.fn_iu_version_put;
