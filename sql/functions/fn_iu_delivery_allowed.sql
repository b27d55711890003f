create or replace function iucore.fn_iu_delivery_allowed(p_claim bigint)
returns boolean
language sql
volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
as $$
    -- Whether the worker may hand the next events of its claim to the transport: the gate is open, the route is on, the claim
    -- is the newest of its part and has not run out. Taking asks the same; to be asked again before each later handing over.
    -- volatile: it reads the clock.
    select exists (
        select
        from iucore.delivery_cursor as c
        join iucore.route as r on r.route = c.route and r.execution_enabled
        join iucore.gate as g on g.gate = 'delivery' and g.is_open
        where c.seq = p_claim and c.kind = 'claim' and c.expires_at > clock_timestamp()
            and c.seq = (
                select p.seq from iucore.v_route_part as p where p.route = c.route and p.partition = c.partition
            )
    )
$$;

alter function iucore.fn_iu_delivery_allowed owner to iucore_owner;
comment on function iucore.fn_iu_delivery_allowed is 'Whether the next events of a claim may be sent.';
revoke execute on function iucore.fn_iu_delivery_allowed from public;
grant execute on function iucore.fn_iu_delivery_allowed to iucore_worker;
