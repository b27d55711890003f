-- Stops the revision unless each event type has a route, and no delta type is on the immediate lane.
do $$
declare
    v_wrong text;
begin
    select string_agg(concat_ws(' ', c.subject, c.code), ', ') into v_wrong from iucore.fn_iu_registry_check() as c;
    if v_wrong is not null then
        raise exception using errcode = 'IU904', message = 'registry of event types is not sound', detail = v_wrong,
            hint = 'Look at it with: select * from iucore.fn_iu_registry_check();';
    end if;
end
$$;
