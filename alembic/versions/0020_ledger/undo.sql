-- Takes the ledger back and sets the outbox with partitions aside. Refuses while rows would be lost, unless the setting
-- iucore.undo_may_lose_rows is 'on' (iucore db downgrade REVISION --lose-rows).
do $$
begin
    lock table iucore.change in share row exclusive mode;
    lock table iucore.event_outbox, iucore.event_log, iucore.sequencer_batch, iucore.ledger_anchor in access exclusive mode;
    lock table iucore.event_type, iucore.route, iucore.route_switch in access exclusive mode;
end
$$;

do $$
declare
    v_types text[] := array['delivery.rebased'];
    v_routes text[] := array(select r.route from iucore.route as r where r.event_type = any(v_types));
    v_rows bigint;
begin
    if coalesce(current_setting('iucore.undo_may_lose_rows', true), '') <> 'on' then
        select (select count(*) from iucore.event_log) + (select count(*) from iucore.ledger_anchor)
            + (select count(*) from iucore.event_outbox as o where o.traceparent is not null)
            + (select count(*) from iucore.route_switch as s where s.route = any(v_routes))
            + (select count(*) from iucore.route as r where r.route = any(v_routes) and r.change_id is not null)
        into v_rows;
        if v_rows > 0 then
            raise exception using errcode = 'IU903', message = 'going back would lose rows',
                detail = format('revision: 0020, rows: %s in event_log, ledger_anchor, event_outbox (traceparent), route, '
                    'route_switch', v_rows),
                hint = 'Keep them with: pg_dump --format=custom --no-toast-compression --schema=iucore --file=iucore.dump '
                    'DATABASE. Then go back with: iucore db downgrade REVISION --lose-rows';
        end if;
    end if;
    delete from iucore.route_switch as s where s.route = any(v_routes);
    delete from iucore.route as r where r.route = any(v_routes);
    delete from iucore.event_type as t where t.event_type = any(v_types);
end
$$;

drop function iucore.fn_iu_log_read;
drop function iucore.fn_iu_ledger_stray;
drop function iucore.fn_iu_ledger_head;
drop function iucore.fn_iu_ledger_verify;
drop function iucore.fn_iu_sequencer_rebase;
drop function iucore.fn_iu_sequence;
drop function iucore.fn_iu_sequencer_snapshot;
drop function iucore.fn_iu_assert_read_committed;
drop function iucore.fn_iu_ledger_append;
drop function iucore.fn_iu_sequencer_window;
drop aggregate iucore.fn_iu_ledger_chain(text, bytea);
drop function iucore.fn_iu_ledger_hash;
drop function iucore.fn_iu_ledger_text;
drop table iucore.ledger_anchor;
drop table iucore.sequencer_guard;
drop table iucore.sequencer_batch;
drop table iucore.event_log;

alter table iucore.event_outbox rename to event_outbox_aside;
alter table iucore.event_outbox_aside rename constraint pk_event_outbox to pk_event_outbox_aside;
drop index iucore.idx_event_outbox_idempotent;
drop index iucore.idx_event_outbox_window;
drop index iucore.idx_event_outbox_subject;
drop index iucore.idx_event_outbox_change;
