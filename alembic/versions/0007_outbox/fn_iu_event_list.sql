create or replace function iucore.fn_iu_event_list(
    p_event_type text default null,
    p_subject text default null,
    p_change_id bigint default null,
    p_after uuid default null,
    p_limit bigint default 1000
)
returns table (
    event_id uuid,
    event_type text,
    aggregatetype text,
    aggregateid text,
    subject text,
    delivery_lane text,
    payload jsonb,
    change_id bigint,
    actor text,
    claimed_actor text,
    created_at timestamptz
)
language sql
stable
as $$
    -- Events by id, that is nearly by time, from the first after p_after; give the last id of a page to get the next one.
    -- To hear every event once use a route: a transaction under way may still commit a lower id.
    select e.event_id, e.event_type, e.aggregatetype, e.aggregateid, e.subject, e.delivery_lane, e.payload, e.change_id,
        e.actor, e.claimed_actor, e.created_at
    from iucore.v_event as e
    where (p_after is null or e.event_id > p_after)
        and (p_event_type is null or e.event_type = p_event_type)
        and (p_subject is null or e.subject = p_subject)
        and (p_change_id is null or e.change_id = p_change_id)
    order by e.event_id
    limit p_limit
$$;

alter function iucore.fn_iu_event_list owner to iucore_owner;
comment on function iucore.fn_iu_event_list is 'Events by id, page by page.';
revoke execute on function iucore.fn_iu_event_list from public;
grant execute on function iucore.fn_iu_event_list to iucore_reader;
