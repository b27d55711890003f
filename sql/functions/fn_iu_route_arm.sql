create or replace function iucore.fn_iu_route_arm(p_route text, p_change_id bigint)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- Gives a route that is on and configured its live cursor, once: it begins at the end of the ledger, which is brought up to
-- date first. So nothing that was committed before is sent, unless it is replayed. Internal: called with the row of the route
-- locked.
-- Locks: sequencer_guard in EXCLUSIVE mode: it waits for the sequencer. Raises: IU038, IU915.
declare
    v_route record;
begin
    select s.* into v_route from iucore.v_route_setting as s where s.route = p_route;
    if not v_route.execution_enabled or v_route.transport is null
        or exists (select from iucore.route_partition as p where p.route = p_route)
    then
        return;
    end if;
    lock table iucore.sequencer_guard in exclusive mode;
    while (select s.remaining from iucore.fn_iu_sequence(100000) as s) loop
    end loop;
    insert into iucore.route_partition (route, partition)
    select p_route, n from generate_series(0, v_route.partitions - 1) as n;
    insert into iucore.delivery_cursor (route, partition, mode, kind, position, change_id)
    select p_route, n, 'live', 'done',
        coalesce((select l.position from iucore.event_log as l order by l.position desc limit 1), 0), p_change_id
    from generate_series(0, v_route.partitions - 1) as n;
end
$$;

alter function iucore.fn_iu_route_arm owner to iucore_owner;
comment on function iucore.fn_iu_route_arm is 'Give a route its live cursor when it is first ready to send.';
revoke execute on function iucore.fn_iu_route_arm from public;
