create or replace function iucore.fn_iu_delivery_defer(
    p_route text,
    p_partition smallint,
    p_positions bigint[]
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- Puts events aside that come behind one of their subject on an ordered route. Internal: the part is locked, and its cursor
-- passes them in the same transaction.
begin
    insert into iucore.delivery_retry (route, position, partition, subject, state, attempts, next_at)
    select p_route, l.position, p_partition, l.subject, 'deferred', 0, '-infinity'
    from iucore.event_log as l
    where l.position = any(p_positions)
    order by l.position
    on conflict on constraint pk_delivery_retry do nothing;
end
$$;

alter function iucore.fn_iu_delivery_defer owner to iucore_owner;
comment on function iucore.fn_iu_delivery_defer is 'Put events aside behind one of their subject.';
revoke execute on function iucore.fn_iu_delivery_defer from public;
