create or replace function iucore.fn_iu_as_of(p_change bigint, p_moment timestamptz)
returns bigint
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- The change up to which to look: the one given, or the last made by the moment; null when neither is given.
-- Raises: IU008, IU018.
declare
    v_change bigint;
begin
    if p_change is null and p_moment is null then
        return null;
    elsif p_change is not null and p_moment is not null then
        raise exception using errcode = 'IU018', message = 'both a change and a moment given',
            detail = format('change: %s, moment: %s', p_change, p_moment), hint = 'Give one of the two.';
    elsif p_moment is not null and (not isfinite(p_moment) or p_moment > clock_timestamp()) then
        raise exception using errcode = 'IU018', message = 'moment is infinite or in the future',
            detail = format('moment: %s, now: %s', p_moment, clock_timestamp()),
            hint = 'Give a moment up to now.';
    elsif p_moment is not null then
        select c.change_id into v_change
        from iucore.change as c
        where c.changed_at <= p_moment
        order by c.changed_at desc, c.change_id desc
        limit 1;
    elsif p_change >= 1 and p_change <= (select max(c.change_id) from iucore.change as c) then
        v_change := p_change;
    end if;
    if v_change is null then
        raise exception using errcode = 'IU008', message = 'no such change',
            detail = case when p_change is null then format('moment: %s', p_moment) else format('change: %s', p_change) end,
            hint = 'See the changes in the view v_change (iucore collection history, iucore piece history).';
    end if;
    return v_change;
end
$$;

alter function iucore.fn_iu_as_of owner to iucore_owner;
comment on function iucore.fn_iu_as_of is 'The change up to which an as-of question looks.';
revoke execute on function iucore.fn_iu_as_of from public;
grant execute on function iucore.fn_iu_as_of to iucore_reader;
