create or replace function iucore.fn_iu_rank_between(p_low text, p_high text)
returns text
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- A rank between two others; null for an open end. A rank is a list of integers, compared one by one, a list before
-- its extensions. Steps of 16 leave room in between; between neighbours the list grows by one integer, whose both
-- directions are open again, so that inserting again and again at one place adds digits, not integers.
declare
    c_step constant bigint := 16::bigint;
    v_low bigint[] := iucore.fn_iu_rank_decode(p_low);
    v_high bigint[] := iucore.fn_iu_rank_decode(p_high);
    v_shared integer := 0;
    v_prefix text;
    v_next bigint;
begin
    if p_low is null and p_high is null then
        return iucore.fn_iu_rank_encode(0);
    elsif p_high is null then
        return iucore.fn_iu_rank_encode(v_low[1] + c_step);
    elsif p_low is null then
        return iucore.fn_iu_rank_encode(v_high[1] - c_step);
    end if;

    while v_low[v_shared + 1] = v_high[v_shared + 1] loop
        v_shared := v_shared + 1;
    end loop;
    select coalesce(string_agg(iucore.fn_iu_rank_encode(v_low[i]), '' order by i), '') into v_prefix
    from generate_series(1, v_shared) as i;

    if v_shared = cardinality(v_low) then
        -- Low is the beginning of high: any extension of low that is below high.
        return v_prefix || iucore.fn_iu_rank_encode(v_high[v_shared + 1] - c_step);
    elsif v_high[v_shared + 1] - v_low[v_shared + 1] > 1 then
        v_next := v_low[v_shared + 1] + (v_high[v_shared + 1] - v_low[v_shared + 1]) / 2;
        return v_prefix || iucore.fn_iu_rank_encode(v_next);
    end if;
    -- Neighbours: go on below low, upwards.
    return v_prefix || iucore.fn_iu_rank_encode(v_low[v_shared + 1])
        || iucore.fn_iu_rank_encode(coalesce(v_low[v_shared + 2] + c_step, 0));
end
$$;

alter function iucore.fn_iu_rank_between owner to iucore_owner;
comment on function iucore.fn_iu_rank_between is 'A rank between two others.';
revoke execute on function iucore.fn_iu_rank_between from public;
