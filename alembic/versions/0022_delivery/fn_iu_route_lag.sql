create or replace function iucore.fn_iu_route_lag(p_event_type text, p_after bigint)
returns table (events bigint, since timestamptz)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
-- How many events of a type, or of all (null), stand behind a position, counted up to 100001, and since when the first
-- waits. A function, so that each type gets the plan that suits it: a view asks for all types with one.
begin
    if p_event_type is null then
        select count(*), min(x.created_at) into events, since
        from (
            select l.created_at from iucore.event_log as l where l.position > p_after order by l.position limit 100001
        ) as x;
    else
        select count(*), min(x.created_at) into events, since
        from (
            select l.created_at
            from iucore.event_log as l
            where l.event_type = p_event_type and l.position > p_after
            order by l.position
            limit 100001
        ) as x;
    end if;
    return next;
end
$$;

alter function iucore.fn_iu_route_lag owner to iucore_owner;
comment on function iucore.fn_iu_route_lag is 'How far a position is behind the events of a type.';
revoke execute on function iucore.fn_iu_route_lag from public;
grant execute on function iucore.fn_iu_route_lag to iucore_reader, iucore_worker;
