create or replace function iucore.fn_iu_rank_encode(p_number bigint)
returns text
language plpgsql
immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- An integer as text that sorts, as bytes, in the order of the integers and says its own length: 'a' and one digit of
-- base 62, 'b' and two, ... for 0 and up; 'Z' and one, 'Y' and two, ... for what is below.
declare
    c_digits constant text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    v_left bigint := case when p_number < 0 then -p_number - 1 else p_number end;
    v_text text := '';
    v_digit integer;
begin
    loop
        v_digit := (v_left % 62)::integer;
        v_text := substr(c_digits, 1 + case when p_number < 0 then 61 - v_digit else v_digit end, 1) || v_text;
        v_left := v_left / 62;
        exit when v_left = 0;
    end loop;
    return chr(case when p_number < 0 then 91 else 96 end
        + case when p_number < 0 then -length(v_text) else length(v_text) end) || v_text;
end
$$;

alter function iucore.fn_iu_rank_encode owner to iucore_owner;
comment on function iucore.fn_iu_rank_encode is 'An integer as self-delimiting text in byte order.';
revoke execute on function iucore.fn_iu_rank_encode from public;
