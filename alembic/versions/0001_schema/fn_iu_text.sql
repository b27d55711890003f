create or replace function iucore.fn_iu_text(p_bytes bytea)
returns text
language plpgsql
immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- For callers that hold bytes: the text, or an error that says at which byte it stops being text.
-- Raises: IU012, IU013.
declare
    v_nul integer := position(decode('00', 'hex') in p_bytes);
    v_low integer := 0;
    v_high integer := length(p_bytes) + 1;
    v_probe integer;
    v_valid integer;
begin
    if v_nul > 0 then
        raise exception using errcode = 'IU012', message = 'text holds U+0000',
            detail = format('byte offset: %s', v_nul - 1),
            hint = 'PostgreSQL cannot store U+0000 in text; remove it.';
    end if;
    return convert_from(p_bytes, 'UTF8');
exception
    when character_not_in_repertoire or untranslatable_character then
        -- Bisect for the longest prefix that is text. A prefix may end inside a character, so each probe
        -- looks at up to three bytes less.
        while v_high - v_low > 1 loop
            v_probe := (v_low + v_high) / 2;
            v_valid := iucore.fn_iu_text_prefix(p_bytes, v_probe);
            if v_valid is null then
                v_high := v_probe;
            else
                v_low := v_probe;
            end if;
        end loop;
        raise exception using errcode = 'IU013', message = 'bytes are not UTF-8',
            detail = format('byte offset: %s', iucore.fn_iu_text_prefix(p_bytes, v_low)),
            hint = 'Convert the text to UTF-8 first.';
end
$$;

alter function iucore.fn_iu_text owner to iucore_owner;
comment on function iucore.fn_iu_text is 'The text of UTF-8 bytes; refuses U+0000 and invalid bytes with their offset.';
revoke execute on function iucore.fn_iu_text from public;
grant execute on function iucore.fn_iu_text to iucore_reader;
