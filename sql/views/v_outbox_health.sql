create or replace view iucore.v_outbox_health as
select
    l.lane,
    w.unsequenced,
    w.oldest_at,
    extract(epoch from clock_timestamp() - w.oldest_at)::numeric(14, 3) as oldest_seconds,
    b.position as head,
    b.made_at as sequenced_at
from (values ('immediate'), ('delayed')) as l (lane)
left join lateral (
    select s.seen, s.system_identifier, s.position, s.made_at
    from iucore.sequencer_batch as s
    order by s.batch desc
    limit 1
) as b on true
cross join pg_control_system() as y
cross join lateral (
    -- Counted up to 100001.
    select count(*) as unsequenced, min(x.created_at) as oldest_at
    from (
        select o.created_at
        from iucore.event_outbox as o
        where o.delivery_lane = l.lane
            -- In another cluster the snapshot says nothing.
            and o.xid >= coalesce(case when b.system_identifier = y.system_identifier then pg_snapshot_xmin(b.seen) end, '0'::xid8)
            and not exists (select from iucore.event_log as e where e.event_id = o.id)
        limit 100001
    ) as x
) as w;

alter view iucore.v_outbox_health owner to iucore_owner;
comment on view iucore.v_outbox_health is 'The outbox by lane: events that have no place in the ledger yet, and how long the oldest has waited.';
revoke all on table iucore.v_outbox_health from public;
grant select on table iucore.v_outbox_health to iucore_reader, iucore_worker;
