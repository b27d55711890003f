create or replace function iucore.fn_iu_delivery_claim(p_claim bigint)
returns iucore.delivery_cursor
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- Locks the part of the route that a claim is for, and returns the claim, or refuses when the lease is lost: another worker
-- took the part, a gatekeeper moved it, or the time ran out. Internal.
-- Raises: IU219.
declare
    v_claim iucore.delivery_cursor;
    v_newest bigint;
begin
    select c.* into v_claim from iucore.delivery_cursor as c where c.seq = p_claim and c.kind = 'claim';
    perform from iucore.route_partition as p
    where p.route = v_claim.route and p.partition = v_claim.partition
    for update;
    select p.seq into v_newest
    from iucore.v_route_part as p
    where p.route = v_claim.route and p.partition = v_claim.partition;
    if v_newest is distinct from p_claim or p_claim is null or v_claim.expires_at <= clock_timestamp() then
        raise exception using errcode = 'IU219', message = 'lease lost',
            detail = format('claim: %s, route: %s, %s', coalesce(p_claim::text, 'null'), coalesce(v_claim.route, 'unknown'),
                case when v_newest = p_claim then format('ran out at %s', v_claim.expires_at)
                    else format('newest claim or move: %s', coalesce(v_newest::text, 'none')) end),
            hint = 'Take a new batch. What was sent and not recorded is sent again; receivers know an event by its id.';
    end if;
    return v_claim;
end
$$;

alter function iucore.fn_iu_delivery_claim owner to iucore_owner;
comment on function iucore.fn_iu_delivery_claim is 'Lock the part of a route that a claim is for.';
revoke execute on function iucore.fn_iu_delivery_claim from public;
