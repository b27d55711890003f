create or replace function iucore.fn_iu_event_type_list()
returns table (event_type text, title text, delivery_lane text, is_delta boolean, change_id bigint)
language sql
stable
as $$
    -- The registry of event types, by name; change_id is null for a type that came with iucore.
    select t.event_type, t.title, t.delivery_lane, t.is_delta, t.change_id
    from iucore.event_type as t
    order by t.event_type
$$;

alter function iucore.fn_iu_event_type_list owner to iucore_owner;
comment on function iucore.fn_iu_event_type_list is 'The registry of event types.';
revoke execute on function iucore.fn_iu_event_type_list from public;
grant execute on function iucore.fn_iu_event_type_list to iucore_reader;
