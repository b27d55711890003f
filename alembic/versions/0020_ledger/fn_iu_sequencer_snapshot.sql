create or replace function iucore.fn_iu_sequencer_snapshot()
returns pg_snapshot
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- What is committed now. Internal. No snapshot names the transaction that takes it: it is put among those under way, so that
-- what it has written or writes yet is left for the next window.
declare
    v_now pg_snapshot := pg_current_snapshot();
begin
    if pg_visible_in_snapshot(pg_current_xact_id_if_assigned(), v_now) then
        select format('%s:%s:%s', pg_snapshot_xmin(v_now), pg_snapshot_xmax(v_now),
            string_agg(r.xid::text, ',' order by r.xid))::pg_snapshot
        into v_now
        from (select pg_snapshot_xip(v_now) as xid union all select pg_current_xact_id()) as r;
    end if;
    return v_now;
end
$$;

alter function iucore.fn_iu_sequencer_snapshot owner to iucore_owner;
comment on function iucore.fn_iu_sequencer_snapshot is 'What is committed now, without the transaction that asks.';
revoke execute on function iucore.fn_iu_sequencer_snapshot from public;
