create or replace function iucore.fn_iu_delivery_renew(
    p_claim bigint,
    p_lease interval default '1 minute'
)
returns bigint
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Prolongs a lease; returns the new claim, which replaces the old one.
-- Locks: the partition of the route. Raises: IU038, IU054, IU219.
declare
    v_claim iucore.delivery_cursor;
begin
    perform iucore.fn_iu_assert_read_committed();
    if p_lease is null or p_lease not between interval '100 milliseconds' and interval '1 hour' then
        raise exception using errcode = 'IU054', message = 'lease of a batch invalid',
            detail = format('lease: %s', coalesce(p_lease::text, 'null')), hint = 'Give 100 milliseconds to 1 hour.';
    end if;
    v_claim := iucore.fn_iu_delivery_claim(p_claim);
    insert into iucore.delivery_cursor (route, partition, mode, kind, position, upto, positions, deferred, source, worker,
        expires_at, failures)
    values (v_claim.route, v_claim.partition, 'live', 'claim', v_claim.position, v_claim.upto, v_claim.positions,
        v_claim.deferred, v_claim.source, v_claim.worker, clock_timestamp() + p_lease, v_claim.failures)
    returning seq into p_claim;
    return p_claim;
end
$$;

alter function iucore.fn_iu_delivery_renew owner to iucore_owner;
comment on function iucore.fn_iu_delivery_renew is 'Prolong a lease.';
revoke execute on function iucore.fn_iu_delivery_renew from public;
grant execute on function iucore.fn_iu_delivery_renew to iucore_worker;
