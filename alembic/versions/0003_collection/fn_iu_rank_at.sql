create or replace function iucore.fn_iu_rank_at(
    p_collection_id uuid,
    p_at text,
    p_anchor text,
    p_moving bigint,
    p_change_id bigint
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- A rank for the asked place; null when the member p_moving stands there already. Internal; the caller holds the lock
-- on the collection. When the place is so crowded that the rank would be too long, all ranks are spread first.
-- Raises: IU004, IU020, IU205.
declare
    v_anchor iucore.collection_member;
    v_low text collate "C";
    v_high text collate "C";
    v_rank text;
    v_own text collate "C";
begin
    if p_at is null or p_at not in ('first', 'last', 'before', 'after')
        or (p_at in ('before', 'after')) is distinct from (p_anchor is not null)
    then
        raise exception using errcode = 'IU020', message = 'place invalid',
            detail = format('at: %s, anchor: %s', coalesce(quote_literal(left(p_at, 40)), 'null'),
                coalesce(quote_literal(left(p_anchor, 120)), 'null')),
            hint = 'Use first or last without an anchor, before or after with one.';
    end if;
    if p_anchor is not null then
        v_anchor := iucore.fn_iu_member_find(p_collection_id, p_anchor);
        if v_anchor.member_id = p_moving then
            return null;
        end if;
    end if;
    for v_try in 1..2 loop
        if v_try = 2 then
            perform iucore.fn_iu_ranks_spread(p_collection_id, p_change_id);
            if p_anchor is not null then
                v_anchor := iucore.fn_iu_member_find(p_collection_id, '@' || v_anchor.member_id);
            end if;
        end if;
        -- '' is below every rank and '~' above: a condition with OR would not use the index in a generic plan.
        v_low := case when p_at = 'after' then v_anchor.rank end;
        v_high := case when p_at = 'before' then v_anchor.rank end;
        if p_at in ('last', 'before') then
            select m.rank into v_low
            from iucore.collection_member as m
            where m.collection_id = p_collection_id and m.closed_change is null
                and m.rank < coalesce(v_high, '~') and m.member_id is distinct from p_moving
            order by m.rank desc
            limit 1;
        else
            select m.rank into v_high
            from iucore.collection_member as m
            where m.collection_id = p_collection_id and m.closed_change is null
                and m.rank > coalesce(v_low, '') and m.member_id is distinct from p_moving
            order by m.rank
            limit 1;
        end if;
        select m.rank into v_own
        from iucore.collection_member as m
        where m.member_id = p_moving and m.closed_change is null;
        if v_own > coalesce(v_low, '') and v_own < coalesce(v_high, '~') then
            return null;
        end if;
        v_rank := iucore.fn_iu_rank_between(v_low, v_high);
        exit when length(v_rank) <= iucore.fn_iu_limit('rank_characters');
    end loop;
    return v_rank;
end
$$;

alter function iucore.fn_iu_rank_at owner to iucore_owner;
comment on function iucore.fn_iu_rank_at is 'A rank for a place in a collection.';
revoke execute on function iucore.fn_iu_rank_at from public;
