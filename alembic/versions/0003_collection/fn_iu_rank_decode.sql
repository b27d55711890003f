create or replace function iucore.fn_iu_rank_decode(p_rank text)
returns bigint[]
language plpgsql
immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- The integers of a rank: the inverse of joining fn_iu_rank_encode.
declare
    c_digits constant text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    v_numbers bigint[] := array[]::bigint[];
    v_at integer := 1;
    v_head integer;
    v_length integer;
    v_value bigint;
    v_digit integer;
begin
    while v_at <= length(p_rank) loop
        v_head := ascii(substr(p_rank, v_at, 1));
        v_length := case when v_head > 96 then v_head - 96 else 91 - v_head end;
        v_value := 0::bigint;
        for v_place in v_at + 1..v_at + v_length loop
            v_digit := position(substr(p_rank, v_place, 1) in c_digits) - 1;
            v_value := v_value * 62 + case when v_head > 96 then v_digit else 61 - v_digit end;
        end loop;
        v_numbers := v_numbers || case when v_head > 96 then v_value else -v_value - 1 end;
        v_at := v_at + v_length + 1;
    end loop;
    return v_numbers;
end
$$;

alter function iucore.fn_iu_rank_decode owner to iucore_owner;
comment on function iucore.fn_iu_rank_decode is 'The integers that a rank is made of.';
revoke execute on function iucore.fn_iu_rank_decode from public;
