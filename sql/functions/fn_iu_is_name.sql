create or replace function iucore.fn_iu_is_name(p_text text, p_max_characters integer)
returns boolean
language sql
immutable parallel safe
as $$
    -- A line that people read and compare by eye: no control, bidi, zero-width or invisible character, no white space
    -- but U+0020, and none at either end. Ranges are code points, so the answer does not depend on a locale.
    select p_text is not null
        and char_length(p_text) between 1 and p_max_characters
        and p_text collate "C" !~ (E'[\\u0001-\\u001f\\u007f-\\u00a0\\u00ad\\u034f\\u061c\\u115f\\u1160\\u1680\\u17b4\\u17b5\\u180b-\\u180f'
            || E'\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u2800\\u3000\\u3164\\ufe00-\\ufe0e\\ufeff\\uffa0\\ufff0-\\uffff'
            || E'\\U00013430-\\U0001343f\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff]')
        and left(p_text, 1) <> ' '
        and right(p_text, 1) <> ' '
$$;

alter function iucore.fn_iu_is_name owner to iucore_owner;
comment on function iucore.fn_iu_is_name is 'Whether a text may be a title, reason, actor or key: one clean line of limited length.';
revoke execute on function iucore.fn_iu_is_name from public;
grant execute on function iucore.fn_iu_is_name to iucore_reader;
