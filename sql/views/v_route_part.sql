create or replace view iucore.v_route_part as
select
    p.route,
    p.partition,
    c.seq,
    c.kind,
    c.position,
    c.upto,
    c.positions,
    c.deferred,
    c.source,
    c.worker,
    c.expires_at,
    c.resume_at,
    c.failures,
    c.error,
    c.change_id,
    c.made_at
from iucore.route_partition as p
cross join lateral (
    select n.* from iucore.delivery_cursor as n
    where n.route = p.route and n.partition = p.partition and n.mode = 'live'
    order by n.seq desc
    limit 1
) as c;

alter view iucore.v_route_part owner to iucore_owner;
comment on view iucore.v_route_part is 'Every part of a route that was live once, with where it stands: its newest cursor.';
revoke all on table iucore.v_route_part from public;
grant select on table iucore.v_route_part to iucore_reader, iucore_worker;
