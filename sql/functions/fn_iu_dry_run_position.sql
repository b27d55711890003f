create or replace function iucore.fn_iu_dry_run_position(p_route text)
returns bigint
language sql
stable
as $$
    -- Up to where a dry run of a route has come: its own cursor, or what was sent in earnest. Internal.
    select greatest(
        (
            select c.position from iucore.delivery_cursor as c
            where c.route = p_route and c.partition = 0 and c.mode = 'dry_run'
            order by c.seq desc
            limit 1
        ),
        (
            select min(p.position) from iucore.v_route_part as p where p.route = p_route
        ),
        0
    )
$$;

alter function iucore.fn_iu_dry_run_position owner to iucore_owner;
comment on function iucore.fn_iu_dry_run_position is 'Up to where a dry run of a route has come.';
revoke execute on function iucore.fn_iu_dry_run_position from public;
