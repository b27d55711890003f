create or replace function iucore.fn_iu_text_prefix(p_bytes bytea, p_length integer)
returns integer
language plpgsql
immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- The longest length in p_length - 3 .. p_length at which the prefix is UTF-8; null when none is.
begin
    for v_length in reverse p_length..greatest(p_length - 3, 0) loop
        begin
            perform convert_from(substring(p_bytes from 1 for v_length), 'UTF8');
            return v_length;
        exception
            when character_not_in_repertoire or untranslatable_character then
                null; -- one byte less
        end;
    end loop;
    return null;
end
$$;

alter function iucore.fn_iu_text_prefix owner to iucore_owner;
comment on function iucore.fn_iu_text_prefix is 'Length of the valid UTF-8 prefix next to a given length.';
revoke execute on function iucore.fn_iu_text_prefix from public;
grant execute on function iucore.fn_iu_text_prefix to iucore_reader;
