-- Read only. Raises IU904 unless each of the 374 objects that this revision made or replaced is as it was made.
-- Written by scripts/freeze from sql/inventory.sql; run it while the database is at revision 0020.
do $iu_verify_0020$
declare
    v_path constant text := pg_catalog.current_setting('search_path');
    v_differ text;
    v_rows jsonb := '[]';
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    begin
        select v_rows || coalesce(jsonb_agg(q), '[]')
        into v_rows
        from (
            select
                'event_type' as kind,
                t.row ->> 'event_type' as object,
                left(encode(sha256(convert_to(
                    jsonb_build_array(t.row -> 'title', t.row -> 'delivery_lane', t.row -> 'is_delta')::text, 'UTF8'
                )), 'hex'), 32) as fingerprint
            from (select to_jsonb(x) as row from iucore.event_type as x) as t
            where t.row ? 'event_type' and t.row ->> 'change_id' is null
        ) as q;
    exception
        when undefined_table then
            null;
    end;
    begin
        select v_rows || coalesce(jsonb_agg(q), '[]')
        into v_rows
        from (
            select
                'route' as kind,
                r.row ->> 'route' as object,
                left(encode(sha256(convert_to(
                    jsonb_build_array(
                        r.row -> 'event_type', r.row -> 'delivery_lane', r.row -> 'title',
                        r.row -> 'execution_enabled' = coalesce(s.row -> 'execution_enabled', 'false'),
                        r.row ->> 'switched_change' is not distinct from s.row ->> 'change_id'
                    )::text, 'UTF8'
                )), 'hex'), 32) as fingerprint
            from (select to_jsonb(x) as row from iucore.route as x) as r
            left join lateral (
                select to_jsonb(x) as row
                from iucore.route_switch as x
                where to_jsonb(x) ->> 'route' = r.row ->> 'route'
                order by (to_jsonb(x) ->> 'change_id')::bigint desc
                limit 1
            ) as s on true
            where r.row ? 'route' and r.row ->> 'change_id' is null
        ) as q;
    exception
        when undefined_table then
            null;
    end;
    with wanted (fingerprint, kind, object) as (
        values
            ('ade12142395121519c5361d02b71d18a', 'column', 'iucore.event_log.actor'),
            ('9e054b852b94fcdd8665e0ded6ce39e2', 'column', 'iucore.event_log.aggregateid'),
            ('db4316993bdff7c784abb8b832318c3e', 'column', 'iucore.event_log.aggregatetype'),
            ('14e7504c716ed9b2ca04b3f9cbc25557', 'column', 'iucore.event_log.change_id'),
            ('7fcd4d45d68a149ba49aaca5997011bd', 'column', 'iucore.event_log.claimed_actor'),
            ('d0a4755db68373326f9da3077c908f5d', 'column', 'iucore.event_log.created_at'),
            ('c42ff3c98404a07fb0849b9a0d880cc5', 'column', 'iucore.event_log.delivery_lane'),
            ('83cee89c76ccdbc99cefe2a8978ec9fa', 'column', 'iucore.event_log.event_id'),
            ('c971e588a633d1cf43329f45ab9e0789', 'column', 'iucore.event_log.event_type'),
            ('aea0b932551a2da5e1a5d0fbd877ebe7', 'column', 'iucore.event_log.hash'),
            ('0ca96c3027d55c99fe77bb3b7b3d3fb3', 'column', 'iucore.event_log.payload'),
            ('5f5cc4b5b20428b21aba279049630f36', 'column', 'iucore.event_log.position'),
            ('24501ff9b22745a6d192be221d8c8889', 'column', 'iucore.event_log.sequenced_at'),
            ('181a225e1d8029296c75bf67d2311613', 'column', 'iucore.event_log.slot'),
            ('a75d04568dc6aa745658df0c02c1c07d', 'column', 'iucore.event_log.subject'),
            ('779e9f1174d251aca865a63a810dc944', 'column', 'iucore.event_log.traceparent'),
            ('954af3091cfecfef52f934e874adf05e', 'column', 'iucore.event_log_0.actor'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_0.aggregateid'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_0.aggregatetype'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.event_log_0.change_id'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_log_0.claimed_actor'),
            ('1e284bf1ea4118b4fa5d7d58352dc039', 'column', 'iucore.event_log_0.created_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_0.delivery_lane'),
            ('c66275dc06a98b35d4097da72a104f9e', 'column', 'iucore.event_log_0.event_id'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_0.event_type'),
            ('90e3b0d7ca18786ded925053d9f600e2', 'column', 'iucore.event_log_0.hash'),
            ('78d72c6738d18d0af1d9883ae5751a7c', 'column', 'iucore.event_log_0.payload'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.event_log_0.position'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.event_log_0.sequenced_at'),
            ('2134e93fa5c1498a485f16a944583cd0', 'column', 'iucore.event_log_0.slot'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_0.subject'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_log_0.traceparent'),
            ('954af3091cfecfef52f934e874adf05e', 'column', 'iucore.event_log_1.actor'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_1.aggregateid'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_1.aggregatetype'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.event_log_1.change_id'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_log_1.claimed_actor'),
            ('1e284bf1ea4118b4fa5d7d58352dc039', 'column', 'iucore.event_log_1.created_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_1.delivery_lane'),
            ('c66275dc06a98b35d4097da72a104f9e', 'column', 'iucore.event_log_1.event_id'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_1.event_type'),
            ('90e3b0d7ca18786ded925053d9f600e2', 'column', 'iucore.event_log_1.hash'),
            ('78d72c6738d18d0af1d9883ae5751a7c', 'column', 'iucore.event_log_1.payload'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.event_log_1.position'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.event_log_1.sequenced_at'),
            ('2134e93fa5c1498a485f16a944583cd0', 'column', 'iucore.event_log_1.slot'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_1.subject'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_log_1.traceparent'),
            ('954af3091cfecfef52f934e874adf05e', 'column', 'iucore.event_log_2.actor'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_2.aggregateid'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_2.aggregatetype'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.event_log_2.change_id'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_log_2.claimed_actor'),
            ('1e284bf1ea4118b4fa5d7d58352dc039', 'column', 'iucore.event_log_2.created_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_2.delivery_lane'),
            ('c66275dc06a98b35d4097da72a104f9e', 'column', 'iucore.event_log_2.event_id'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_2.event_type'),
            ('90e3b0d7ca18786ded925053d9f600e2', 'column', 'iucore.event_log_2.hash'),
            ('78d72c6738d18d0af1d9883ae5751a7c', 'column', 'iucore.event_log_2.payload'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.event_log_2.position'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.event_log_2.sequenced_at'),
            ('2134e93fa5c1498a485f16a944583cd0', 'column', 'iucore.event_log_2.slot'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_2.subject'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_log_2.traceparent'),
            ('954af3091cfecfef52f934e874adf05e', 'column', 'iucore.event_log_3.actor'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_3.aggregateid'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_3.aggregatetype'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.event_log_3.change_id'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_log_3.claimed_actor'),
            ('1e284bf1ea4118b4fa5d7d58352dc039', 'column', 'iucore.event_log_3.created_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_3.delivery_lane'),
            ('c66275dc06a98b35d4097da72a104f9e', 'column', 'iucore.event_log_3.event_id'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_3.event_type'),
            ('90e3b0d7ca18786ded925053d9f600e2', 'column', 'iucore.event_log_3.hash'),
            ('78d72c6738d18d0af1d9883ae5751a7c', 'column', 'iucore.event_log_3.payload'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.event_log_3.position'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.event_log_3.sequenced_at'),
            ('2134e93fa5c1498a485f16a944583cd0', 'column', 'iucore.event_log_3.slot'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_3.subject'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_log_3.traceparent'),
            ('954af3091cfecfef52f934e874adf05e', 'column', 'iucore.event_log_4.actor'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_4.aggregateid'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_4.aggregatetype'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.event_log_4.change_id'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_log_4.claimed_actor'),
            ('1e284bf1ea4118b4fa5d7d58352dc039', 'column', 'iucore.event_log_4.created_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_4.delivery_lane'),
            ('c66275dc06a98b35d4097da72a104f9e', 'column', 'iucore.event_log_4.event_id'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_4.event_type'),
            ('90e3b0d7ca18786ded925053d9f600e2', 'column', 'iucore.event_log_4.hash'),
            ('78d72c6738d18d0af1d9883ae5751a7c', 'column', 'iucore.event_log_4.payload'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.event_log_4.position'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.event_log_4.sequenced_at'),
            ('2134e93fa5c1498a485f16a944583cd0', 'column', 'iucore.event_log_4.slot'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_log_4.subject'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_log_4.traceparent'),
            ('c27fd23210a238436d004724f7498fe4', 'column', 'iucore.event_outbox.slot'),
            ('f285505dbe04a17144c61f00d068e4aa', 'column', 'iucore.event_outbox.traceparent'),
            ('954af3091cfecfef52f934e874adf05e', 'column', 'iucore.event_outbox_0.actor'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_0.aggregateid'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_0.aggregatetype'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.event_outbox_0.change_id'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_outbox_0.claimed_actor'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.event_outbox_0.created_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_0.delivery_lane'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_0.event_subject_ref'),
            ('c0bd3a3bf88d853948aa410cc120d413', 'column', 'iucore.event_outbox_0.event_type'),
            ('c66275dc06a98b35d4097da72a104f9e', 'column', 'iucore.event_outbox_0.id'),
            ('78d72c6738d18d0af1d9883ae5751a7c', 'column', 'iucore.event_outbox_0.payload'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.event_outbox_0.slot'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_outbox_0.traceparent'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_0.type'),
            ('840a4e97d6f15a0786231adf08982d5b', 'column', 'iucore.event_outbox_0.xid'),
            ('954af3091cfecfef52f934e874adf05e', 'column', 'iucore.event_outbox_1.actor'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_1.aggregateid'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_1.aggregatetype'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.event_outbox_1.change_id'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_outbox_1.claimed_actor'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.event_outbox_1.created_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_1.delivery_lane'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_1.event_subject_ref'),
            ('c0bd3a3bf88d853948aa410cc120d413', 'column', 'iucore.event_outbox_1.event_type'),
            ('c66275dc06a98b35d4097da72a104f9e', 'column', 'iucore.event_outbox_1.id'),
            ('78d72c6738d18d0af1d9883ae5751a7c', 'column', 'iucore.event_outbox_1.payload'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.event_outbox_1.slot'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_outbox_1.traceparent'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_1.type'),
            ('840a4e97d6f15a0786231adf08982d5b', 'column', 'iucore.event_outbox_1.xid'),
            ('954af3091cfecfef52f934e874adf05e', 'column', 'iucore.event_outbox_2.actor'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_2.aggregateid'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_2.aggregatetype'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.event_outbox_2.change_id'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_outbox_2.claimed_actor'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.event_outbox_2.created_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_2.delivery_lane'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_2.event_subject_ref'),
            ('c0bd3a3bf88d853948aa410cc120d413', 'column', 'iucore.event_outbox_2.event_type'),
            ('c66275dc06a98b35d4097da72a104f9e', 'column', 'iucore.event_outbox_2.id'),
            ('78d72c6738d18d0af1d9883ae5751a7c', 'column', 'iucore.event_outbox_2.payload'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.event_outbox_2.slot'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_outbox_2.traceparent'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_2.type'),
            ('840a4e97d6f15a0786231adf08982d5b', 'column', 'iucore.event_outbox_2.xid'),
            ('954af3091cfecfef52f934e874adf05e', 'column', 'iucore.event_outbox_3.actor'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_3.aggregateid'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_3.aggregatetype'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.event_outbox_3.change_id'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_outbox_3.claimed_actor'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.event_outbox_3.created_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_3.delivery_lane'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_3.event_subject_ref'),
            ('c0bd3a3bf88d853948aa410cc120d413', 'column', 'iucore.event_outbox_3.event_type'),
            ('c66275dc06a98b35d4097da72a104f9e', 'column', 'iucore.event_outbox_3.id'),
            ('78d72c6738d18d0af1d9883ae5751a7c', 'column', 'iucore.event_outbox_3.payload'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.event_outbox_3.slot'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_outbox_3.traceparent'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_3.type'),
            ('840a4e97d6f15a0786231adf08982d5b', 'column', 'iucore.event_outbox_3.xid'),
            ('954af3091cfecfef52f934e874adf05e', 'column', 'iucore.event_outbox_4.actor'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_4.aggregateid'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_4.aggregatetype'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.event_outbox_4.change_id'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_outbox_4.claimed_actor'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.event_outbox_4.created_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_4.delivery_lane'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_4.event_subject_ref'),
            ('c0bd3a3bf88d853948aa410cc120d413', 'column', 'iucore.event_outbox_4.event_type'),
            ('c66275dc06a98b35d4097da72a104f9e', 'column', 'iucore.event_outbox_4.id'),
            ('78d72c6738d18d0af1d9883ae5751a7c', 'column', 'iucore.event_outbox_4.payload'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.event_outbox_4.slot'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.event_outbox_4.traceparent'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.event_outbox_4.type'),
            ('840a4e97d6f15a0786231adf08982d5b', 'column', 'iucore.event_outbox_4.xid'),
            ('f4b35e74b58702cb9d65b05b75d4a934', 'column', 'iucore.ledger_anchor.change_id'),
            ('51d1808a1506b195bf23ada8eaf90040', 'column', 'iucore.ledger_anchor.hash'),
            ('f0153c21db39be3804935ff6dc110831', 'column', 'iucore.ledger_anchor.position'),
            ('2f79611e45c5156e43aee3ff04e28b27', 'column', 'iucore.sequencer_batch.batch'),
            ('408501f89f33c86ba082ce7285203d10', 'column', 'iucore.sequencer_batch.change_id'),
            ('51d1808a1506b195bf23ada8eaf90040', 'column', 'iucore.sequencer_batch.hash'),
            ('c636c57c8b086494702359206efa0702', 'column', 'iucore.sequencer_batch.last_event_id'),
            ('c5271310baea379f610523705d9a054b', 'column', 'iucore.sequencer_batch.made_at'),
            ('e35bc12c26b3c758dee5f3bc0a1d5ad7', 'column', 'iucore.sequencer_batch.position'),
            ('83cd2eca1132dfa2097ff2d0e3c1bcb3', 'column', 'iucore.sequencer_batch.rebased_xid'),
            ('ffd10b1579680ba5a60efbadea0bfdcf', 'column', 'iucore.sequencer_batch.seen'),
            ('1b4ee34a6f13d377611b42875ebeab05', 'column', 'iucore.sequencer_batch.slot'),
            ('ea0ea38de97a1b151a579cb00891aa4f', 'column', 'iucore.sequencer_batch.system_identifier'),
            ('dfdb52010141d2c3143ed99715faf04f', 'column', 'iucore.sequencer_batch.window_end'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.sequencer_batch_1.batch'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.sequencer_batch_1.change_id'),
            ('90e3b0d7ca18786ded925053d9f600e2', 'column', 'iucore.sequencer_batch_1.hash'),
            ('9baa0b29c05773f323d6c50d6066f4b7', 'column', 'iucore.sequencer_batch_1.last_event_id'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.sequencer_batch_1.made_at'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.sequencer_batch_1.position'),
            ('f4c79a2c75c636c57fff23ca77db588c', 'column', 'iucore.sequencer_batch_1.rebased_xid'),
            ('035f846b7d5505f0de4326badde087c7', 'column', 'iucore.sequencer_batch_1.seen'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.sequencer_batch_1.slot'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.sequencer_batch_1.system_identifier'),
            ('c5e0ec4a1ee90b0d5e80e592dd1a7935', 'column', 'iucore.sequencer_batch_1.window_end'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.sequencer_batch_2.batch'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.sequencer_batch_2.change_id'),
            ('90e3b0d7ca18786ded925053d9f600e2', 'column', 'iucore.sequencer_batch_2.hash'),
            ('9baa0b29c05773f323d6c50d6066f4b7', 'column', 'iucore.sequencer_batch_2.last_event_id'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.sequencer_batch_2.made_at'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.sequencer_batch_2.position'),
            ('f4c79a2c75c636c57fff23ca77db588c', 'column', 'iucore.sequencer_batch_2.rebased_xid'),
            ('035f846b7d5505f0de4326badde087c7', 'column', 'iucore.sequencer_batch_2.seen'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.sequencer_batch_2.slot'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.sequencer_batch_2.system_identifier'),
            ('c5e0ec4a1ee90b0d5e80e592dd1a7935', 'column', 'iucore.sequencer_batch_2.window_end'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.sequencer_batch_3.batch'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.sequencer_batch_3.change_id'),
            ('90e3b0d7ca18786ded925053d9f600e2', 'column', 'iucore.sequencer_batch_3.hash'),
            ('9baa0b29c05773f323d6c50d6066f4b7', 'column', 'iucore.sequencer_batch_3.last_event_id'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.sequencer_batch_3.made_at'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.sequencer_batch_3.position'),
            ('f4c79a2c75c636c57fff23ca77db588c', 'column', 'iucore.sequencer_batch_3.rebased_xid'),
            ('035f846b7d5505f0de4326badde087c7', 'column', 'iucore.sequencer_batch_3.seen'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.sequencer_batch_3.slot'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.sequencer_batch_3.system_identifier'),
            ('c5e0ec4a1ee90b0d5e80e592dd1a7935', 'column', 'iucore.sequencer_batch_3.window_end'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.sequencer_batch_4.batch'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.sequencer_batch_4.change_id'),
            ('90e3b0d7ca18786ded925053d9f600e2', 'column', 'iucore.sequencer_batch_4.hash'),
            ('9baa0b29c05773f323d6c50d6066f4b7', 'column', 'iucore.sequencer_batch_4.last_event_id'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.sequencer_batch_4.made_at'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.sequencer_batch_4.position'),
            ('f4c79a2c75c636c57fff23ca77db588c', 'column', 'iucore.sequencer_batch_4.rebased_xid'),
            ('035f846b7d5505f0de4326badde087c7', 'column', 'iucore.sequencer_batch_4.seen'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.sequencer_batch_4.slot'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.sequencer_batch_4.system_identifier'),
            ('c5e0ec4a1ee90b0d5e80e592dd1a7935', 'column', 'iucore.sequencer_batch_4.window_end'),
            ('810e7b4ec89ae6fa8cfc6ed28f4cf917', 'column', 'iucore.sequencer_guard.singleton'),
            ('672e3828f8d7645e084dd90a711f85cc', 'constraint', 'iucore.event_log.pk_event_log'),
            ('e8d62da5424c5976a13fd9e998c46808', 'constraint', 'iucore.event_log_0.event_log_0_pkey'),
            ('e8d62da5424c5976a13fd9e998c46808', 'constraint', 'iucore.event_log_1.event_log_1_pkey'),
            ('e8d62da5424c5976a13fd9e998c46808', 'constraint', 'iucore.event_log_2.event_log_2_pkey'),
            ('e8d62da5424c5976a13fd9e998c46808', 'constraint', 'iucore.event_log_3.event_log_3_pkey'),
            ('e8d62da5424c5976a13fd9e998c46808', 'constraint', 'iucore.event_log_4.event_log_4_pkey'),
            ('051912ac97a4d7814350e7c928ba5197', 'constraint', 'iucore.event_outbox.ck_event_outbox_slot'),
            ('38766f00a26c3555a9201d772c741a24', 'constraint', 'iucore.event_outbox.pk_event_outbox'),
            ('5d4aeb06325f40a8cdfc90beae2573e6', 'constraint', 'iucore.event_outbox_0.ck_event_outbox_lane'),
            ('051912ac97a4d7814350e7c928ba5197', 'constraint', 'iucore.event_outbox_0.ck_event_outbox_slot'),
            ('b09cde1e7b2e39c1d18e9065a853e766', 'constraint', 'iucore.event_outbox_0.event_outbox_0_pkey'),
            ('5d4aeb06325f40a8cdfc90beae2573e6', 'constraint', 'iucore.event_outbox_1.ck_event_outbox_lane'),
            ('051912ac97a4d7814350e7c928ba5197', 'constraint', 'iucore.event_outbox_1.ck_event_outbox_slot'),
            ('b09cde1e7b2e39c1d18e9065a853e766', 'constraint', 'iucore.event_outbox_1.event_outbox_1_pkey'),
            ('5d4aeb06325f40a8cdfc90beae2573e6', 'constraint', 'iucore.event_outbox_2.ck_event_outbox_lane'),
            ('051912ac97a4d7814350e7c928ba5197', 'constraint', 'iucore.event_outbox_2.ck_event_outbox_slot'),
            ('b09cde1e7b2e39c1d18e9065a853e766', 'constraint', 'iucore.event_outbox_2.event_outbox_2_pkey'),
            ('5d4aeb06325f40a8cdfc90beae2573e6', 'constraint', 'iucore.event_outbox_3.ck_event_outbox_lane'),
            ('051912ac97a4d7814350e7c928ba5197', 'constraint', 'iucore.event_outbox_3.ck_event_outbox_slot'),
            ('b09cde1e7b2e39c1d18e9065a853e766', 'constraint', 'iucore.event_outbox_3.event_outbox_3_pkey'),
            ('5d4aeb06325f40a8cdfc90beae2573e6', 'constraint', 'iucore.event_outbox_4.ck_event_outbox_lane'),
            ('051912ac97a4d7814350e7c928ba5197', 'constraint', 'iucore.event_outbox_4.ck_event_outbox_slot'),
            ('b09cde1e7b2e39c1d18e9065a853e766', 'constraint', 'iucore.event_outbox_4.event_outbox_4_pkey'),
            ('b7e03c32ec414ab33b7d0b9fb473f80e', 'constraint', 'iucore.ledger_anchor.fk_ledger_anchor_change'),
            ('458a7f01980a7cd8395cd340b2cdbc56', 'constraint', 'iucore.ledger_anchor.pk_ledger_anchor'),
            ('5c020f2e999d170dde75cd14e6d72209', 'constraint', 'iucore.sequencer_batch.ck_sequencer_batch_window'),
            ('18cedb30c455bf540e3f2fec67ad912b', 'constraint', 'iucore.sequencer_batch.pk_sequencer_batch'),
            ('5c020f2e999d170dde75cd14e6d72209', 'constraint', 'iucore.sequencer_batch_1.ck_sequencer_batch_window'),
            ('f3bdd490846e48dd82e7d2c2ee2bc28d', 'constraint', 'iucore.sequencer_batch_1.sequencer_batch_1_pkey'),
            ('5c020f2e999d170dde75cd14e6d72209', 'constraint', 'iucore.sequencer_batch_2.ck_sequencer_batch_window'),
            ('f3bdd490846e48dd82e7d2c2ee2bc28d', 'constraint', 'iucore.sequencer_batch_2.sequencer_batch_2_pkey'),
            ('5c020f2e999d170dde75cd14e6d72209', 'constraint', 'iucore.sequencer_batch_3.ck_sequencer_batch_window'),
            ('f3bdd490846e48dd82e7d2c2ee2bc28d', 'constraint', 'iucore.sequencer_batch_3.sequencer_batch_3_pkey'),
            ('5c020f2e999d170dde75cd14e6d72209', 'constraint', 'iucore.sequencer_batch_4.ck_sequencer_batch_window'),
            ('f3bdd490846e48dd82e7d2c2ee2bc28d', 'constraint', 'iucore.sequencer_batch_4.sequencer_batch_4_pkey'),
            ('02744afb8a5b6d269a490b0fbf600f3b', 'constraint', 'iucore.sequencer_guard.ck_sequencer_guard_singleton'),
            ('cff362d25b1ef9a7a629b3998b1fc0cd', 'constraint', 'iucore.sequencer_guard.pk_sequencer_guard'),
            ('28f0d09735a923cabd377d9befe553b6', 'event_type', 'delivery.rebased'),
            ('1f69abbe1efb7558e3d330fee5941c7f', 'function', 'iucore.fn_iu_assert_read_committed()'),
            ('6c513976711b9fc6c01494c23a13e227', 'function', 'iucore.fn_iu_event_put(text, text, bigint, text[], text[], jsonb[])'),
            ('f66d9d36b8c2361b6215fd53c33ee6a2', 'function', 'iucore.fn_iu_ledger_append(bigint, bytea, pg_snapshot, pg_snapshot, uuid, xid8, bigint)'),
            ('8a33bc1d1aad865fd888850037fd8340', 'function', 'iucore.fn_iu_ledger_chain(text, bytea)'),
            ('cac9cfc1e50be452b1c407f9eab9f3a0', 'function', 'iucore.fn_iu_ledger_hash(bytea, text, bytea)'),
            ('8f4b3a704fa5488f6b9811cc536b97ee', 'function', 'iucore.fn_iu_ledger_head()'),
            ('296b1cc1e3d09d15cb08b19c5c9e6fc8', 'function', 'iucore.fn_iu_ledger_stray(bigint)'),
            ('d3405501a404aafd71e9b2c1c6acc8f1', 'function', 'iucore.fn_iu_ledger_text(uuid, text, text, text, text, text, jsonb, bigint, text, text, text, timestamp with time zone)'),
            ('cdc6656a27c95b32395db7839fe5c637', 'function', 'iucore.fn_iu_ledger_verify(bigint, bytea, bigint)'),
            ('5ebc25764a5c4da4cfacb2a95f2c2034', 'function', 'iucore.fn_iu_log_read(bigint, text, bigint)'),
            ('cbc939fbe738f93a15a067ba19e388af', 'function', 'iucore.fn_iu_make_slots(text, integer)'),
            ('417c7a4c2b2512ac9fc7022ab294997d', 'function', 'iucore.fn_iu_sequence(bigint)'),
            ('7599bc62ff71178fecd6fc36b5f32bfd', 'function', 'iucore.fn_iu_sequencer_rebase(text, text, text)'),
            ('9adb14de305ca53d7a6073ffee7c0584', 'function', 'iucore.fn_iu_sequencer_snapshot()'),
            ('e68f145741681ad9897e9c26633022c9', 'function', 'iucore.fn_iu_sequencer_window(pg_snapshot, pg_snapshot, uuid, xid8, bigint)'),
            ('b20de651012a3099d0fdd4eff4188690', 'function', 'iucore.fn_iu_slot()'),
            ('2e3b26a84b3950fa4e5ed728a7146c55', 'index', 'iucore.event_log_0_event_id_idx'),
            ('b5c74ed345d8c13b72828756cdf82c32', 'index', 'iucore.event_log_0_event_type_position_idx'),
            ('ccf5b2c33035ccd3225215098eacc222', 'index', 'iucore.event_log_0_pkey'),
            ('2e6a001d37e4b5864e6ca7d213250598', 'index', 'iucore.event_log_1_event_id_idx'),
            ('804d68856bc02b2744644792be64f9bd', 'index', 'iucore.event_log_1_event_type_position_idx'),
            ('eca5f3259fe4baa3367ac32abd5aafe8', 'index', 'iucore.event_log_1_pkey'),
            ('ac6518190e62041601ca8bdb4244addf', 'index', 'iucore.event_log_2_event_id_idx'),
            ('1590ad0b5638cbc154bd9f83d04b2475', 'index', 'iucore.event_log_2_event_type_position_idx'),
            ('0691fa3f80e12e8591e8d571ca0b08fd', 'index', 'iucore.event_log_2_pkey'),
            ('850f88f98c1e8e6dccc914ccccf19a36', 'index', 'iucore.event_log_3_event_id_idx'),
            ('993bd079181f35899c03997dcd3698ce', 'index', 'iucore.event_log_3_event_type_position_idx'),
            ('c5f614e77095aa4af6a05a4912f29356', 'index', 'iucore.event_log_3_pkey'),
            ('7263c8b915fc340fd7ebf852bd0bb7e4', 'index', 'iucore.event_log_4_event_id_idx'),
            ('eb7822a12693062eca1a2d2e901f8014', 'index', 'iucore.event_log_4_event_type_position_idx'),
            ('5ecccf455e0088eeeabde83c20c90ce5', 'index', 'iucore.event_log_4_pkey'),
            ('6798e3e75ca84dff431ff59c5ad7c134', 'index', 'iucore.event_outbox_0_change_id_idx'),
            ('eda2705af4d6a80b903d2f4345278b7a', 'index', 'iucore.event_outbox_0_event_subject_ref_id_idx'),
            ('114f09b28b46d2893db8675dd89a01d3', 'index', 'iucore.event_outbox_0_pkey'),
            ('579a8cec32bddf11cc95d4983bee48d1', 'index', 'iucore.event_outbox_0_xid_id_idx'),
            ('ba69f2897e57884e78e0e781a4e630f0', 'index', 'iucore.event_outbox_1_change_id_idx'),
            ('5ee39765ca4fd7a175341af997638aad', 'index', 'iucore.event_outbox_1_event_subject_ref_id_idx'),
            ('e26c8aedf94d07738f236614c7ebd391', 'index', 'iucore.event_outbox_1_pkey'),
            ('2d2b8ba57929262e2001b15ad12fbdb7', 'index', 'iucore.event_outbox_1_xid_id_idx'),
            ('3f6977164ccac09d019843c59320694c', 'index', 'iucore.event_outbox_2_change_id_idx'),
            ('1543b02cab154dfbdce130f29b4403a7', 'index', 'iucore.event_outbox_2_event_subject_ref_id_idx'),
            ('5c21752d6a306c26a889c8e7e5c768a5', 'index', 'iucore.event_outbox_2_pkey'),
            ('13f262a55f4859230b69f6e28a26a510', 'index', 'iucore.event_outbox_2_xid_id_idx'),
            ('d2eb8d928f0ed2d6fd0e7c52c3fafd57', 'index', 'iucore.event_outbox_3_change_id_idx'),
            ('5854bdd57a88dd9a9a388ce7b7f89feb', 'index', 'iucore.event_outbox_3_event_subject_ref_id_idx'),
            ('695b2a96fc1d6d64f2ce2b5418a8c3c5', 'index', 'iucore.event_outbox_3_pkey'),
            ('0f5bf17eca7ebf65ae7329c5c7511a16', 'index', 'iucore.event_outbox_3_xid_id_idx'),
            ('0334c6ed7eafd979d32ddae8dd06b327', 'index', 'iucore.event_outbox_4_change_id_idx'),
            ('ad74ab98f8e8c270ca73f31877f8c0ba', 'index', 'iucore.event_outbox_4_event_subject_ref_id_idx'),
            ('bd9920b638ac88692d6535746052b22c', 'index', 'iucore.event_outbox_4_pkey'),
            ('9021eb4b69f1b7a64ea7806eb53f8952', 'index', 'iucore.event_outbox_4_xid_id_idx'),
            ('58fdf69645e279fd3fe31273c591fd44', 'index', 'iucore.idx_event_log_event'),
            ('f94e781ea01dc34ce748a5ad084cddfb', 'index', 'iucore.idx_event_log_type'),
            ('b224c1b389fc37ec19993a0a326692c1', 'index', 'iucore.idx_event_outbox_change'),
            ('f0d1d43f1134730488dfb1aed4832e14', 'index', 'iucore.idx_event_outbox_idempotent'),
            ('15ec4935571c5dff5c1bffba838b5a37', 'index', 'iucore.idx_event_outbox_subject'),
            ('76c0822dd1999a16aa4def0eae57686b', 'index', 'iucore.idx_event_outbox_window'),
            ('25341699f976044b5015d8330c4d13fc', 'index', 'iucore.pk_event_log'),
            ('94b406bab7ffdf871271e136d10e8c3a', 'index', 'iucore.pk_event_outbox'),
            ('bd86e4100e8bf5e1f9dce677732d820c', 'index', 'iucore.pk_ledger_anchor'),
            ('138fa3f73b1cb9853430efab43abcff3', 'index', 'iucore.pk_sequencer_batch'),
            ('50edb04d9d6697e06cbb840f89c50727', 'index', 'iucore.pk_sequencer_guard'),
            ('f0b0ce8ead32a900d5f5744c1613302c', 'index', 'iucore.sequencer_batch_1_pkey'),
            ('e401e9fc356323b8e141eb5e2bd0ec4f', 'index', 'iucore.sequencer_batch_2_pkey'),
            ('bb02ee8f4110a6986c0adddf3b39ae94', 'index', 'iucore.sequencer_batch_3_pkey'),
            ('db13358f91feb2f127b1fa0e7e67c2db', 'index', 'iucore.sequencer_batch_4_pkey'),
            ('c531c0f3cfc0f2111f97dc28903a064d', 'route', 'delivery.rebased'),
            ('3ca497d76f07cc94b38d3f321c8ba11e', 'sequence', 'iucore.sequencer_batch_batch_seq'),
            ('b99637e6ba65dc1a85544272bc36fcbc', 'table', 'iucore.event_log'),
            ('d89fddd95bf2e1c52115f219d721d7e1', 'table', 'iucore.event_log_0'),
            ('d6151885c0bb2e03069a24ff13d72aa9', 'table', 'iucore.event_log_1'),
            ('e7b3513af793d89324f555a50ade536b', 'table', 'iucore.event_log_2'),
            ('b730ba41f752f2b5659999ec8a54a21d', 'table', 'iucore.event_log_3'),
            ('3866d9587401c0da016170eace69af2b', 'table', 'iucore.event_log_4'),
            ('15e8ddecb67cf692033f606bc003e63b', 'table', 'iucore.event_outbox'),
            ('00b7ec4eb84a71cc721228202e609a0c', 'table', 'iucore.event_outbox_0'),
            ('b0be20f6912b5646c71a87c4928ff9ef', 'table', 'iucore.event_outbox_1'),
            ('68bf4c5cfe67122566a6b6f859678a43', 'table', 'iucore.event_outbox_2'),
            ('b4db3616b34d646567284d0720056b64', 'table', 'iucore.event_outbox_3'),
            ('002697922d7ea8de12319c65b3079925', 'table', 'iucore.event_outbox_4'),
            ('0294bd2de90a0d2171915423a41be6dd', 'table', 'iucore.ledger_anchor'),
            ('454218098b282656127f16b5b4eb5a24', 'table', 'iucore.sequencer_batch'),
            ('2eda0ab7d27c6cbc11d15cc29eca85d0', 'table', 'iucore.sequencer_batch_1'),
            ('b57edafceb63aad639ae5731eedd40db', 'table', 'iucore.sequencer_batch_2'),
            ('c90a1af556127e1bc5ef14542e818f47', 'table', 'iucore.sequencer_batch_3'),
            ('b415305188da738dc0a35ed8bac26747', 'table', 'iucore.sequencer_batch_4'),
            ('a70799c263fbf7baf9996b3479545ffd', 'table', 'iucore.sequencer_guard'),
            ('a5969708065032d3c2801baa58a74a06', 'trigger', 'iucore.event_log.trg_event_log_append_only'),
            ('2e256c511f7d236ac75e02e14bea434f', 'trigger', 'iucore.event_log_0.trg_event_log_append_only'),
            ('231a8b3ba5de51f4d15ba7edc6264686', 'trigger', 'iucore.event_log_1.trg_event_log_append_only'),
            ('0ac7d7aed6a6e66d2d72335d3c96df5b', 'trigger', 'iucore.event_log_2.trg_event_log_append_only'),
            ('09179707cf74c4d7971a65eac1786568', 'trigger', 'iucore.event_log_3.trg_event_log_append_only'),
            ('bf9feb4570e8c560e28b80c32a628481', 'trigger', 'iucore.event_log_4.trg_event_log_append_only'),
            ('e1b2475fb156bed0a665b811ab16b0e2', 'trigger', 'iucore.event_outbox_0.trg_event_outbox_append_only'),
            ('717d6b5e816fddcd20dfc6b57c491be4', 'trigger', 'iucore.event_outbox_1.trg_event_outbox_append_only'),
            ('dc39eafb7cb46f7c083a379e64373d1c', 'trigger', 'iucore.event_outbox_2.trg_event_outbox_append_only'),
            ('4e50a350c8b0525b2dd0c0204803452c', 'trigger', 'iucore.event_outbox_3.trg_event_outbox_append_only'),
            ('286921f1a0533e9b43100baa33018d00', 'trigger', 'iucore.event_outbox_4.trg_event_outbox_append_only'),
            ('dd8722037bf6922dbe5fe13a75a0c4b1', 'trigger', 'iucore.ledger_anchor.trg_ledger_anchor_append_only'),
            ('50f1c44c12663a08ddf0869e65feb2db', 'trigger', 'iucore.sequencer_batch.trg_sequencer_batch_append_only'),
            ('24c4e1712723f76b36edd54751335c13', 'trigger', 'iucore.sequencer_batch_1.trg_sequencer_batch_append_only'),
            ('e428d1fb0f2d0a347cf0bb8cf778b62a', 'trigger', 'iucore.sequencer_batch_2.trg_sequencer_batch_append_only'),
            ('1100f4b1909a121b1f7834caef74ffe6', 'trigger', 'iucore.sequencer_batch_3.trg_sequencer_batch_append_only'),
            ('8c3ed21b69d4bba51d3ca1bc0e52f0a6', 'trigger', 'iucore.sequencer_batch_4.trg_sequencer_batch_append_only')
    ),

    found as (
        with namespace as (
            select n.oid, n.nspname, n.nspowner, n.nspacl
            from pg_catalog.pg_namespace as n
            where n.nspname = 'iucore'
        ),

        relation as (
            select c.*, n.nspname || '.' || c.relname as name
            from pg_catalog.pg_class as c
            join namespace as n on n.oid = c.relnamespace
        ),

        described (kind, object, owner, acl, comment, definition) as (
            select
                'schema', n.nspname::text, n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner)),
                obj_description(n.oid, 'pg_namespace'), '[]'::jsonb
            from namespace as n

            union all
            select
                case c.relkind when 'v' then 'view' when 'm' then 'view' else 'table' end,
                c.name, c.relowner, coalesce(c.relacl, acldefault('r', c.relowner)),
                obj_description(c.oid, 'pg_class'),
                jsonb_build_array(
                    c.relkind, c.relpersistence, a.amname, c.reloptions, t.reloptions, c.relrowsecurity, c.relforcerowsecurity,
                    c.relreplident, c.relispartition, pg_get_expr(c.relpartbound, c.oid), pg_get_partkeydef(c.oid),
                    (
                        select jsonb_agg(p.relname order by i.inhseqno)
                        from pg_catalog.pg_inherits as i
                        join pg_catalog.pg_class as p on p.oid = i.inhparent
                        where i.inhrelid = c.oid
                    ),
                    case when c.relkind in ('v', 'm') then
                        regexp_replace(
                            regexp_replace(pg_get_viewdef(c.oid), '("[^"]+"|\m[a-z_][a-z0-9_$]*)\.', '', 'g'), '\s+', '', 'g'
                        )
                    end,
                    case when c.relkind in ('v', 'm') then (
                        select jsonb_agg(distinct (f.relname || '.' || b.attname) collate "C")
                        from pg_catalog.pg_rewrite as r
                        join pg_catalog.pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
                        join pg_catalog.pg_class as f on f.oid = d.refobjid and d.refclassid = 'pg_class'::regclass
                        join pg_catalog.pg_attribute as b on b.attrelid = d.refobjid and b.attnum = d.refobjsubid
                        where r.ev_class = c.oid and d.refobjid <> c.oid
                    ) end
                )
            from relation as c
            left join pg_catalog.pg_am as a on a.oid = c.relam
            left join pg_catalog.pg_class as t on t.oid = c.reltoastrelid
            where c.relkind in ('r', 'p', 'f', 'v', 'm')

            union all
            select
                'column', c.name || '.' || a.attname, null, a.attacl, col_description(c.oid, a.attnum),
                jsonb_build_array(
                    format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull,
                    exists (
                        select
                        from pg_catalog.pg_constraint as k
                        where k.conrelid = c.oid and k.contype = 'n' and k.conkey = array[a.attnum] and not k.convalidated
                    ),
                    l.collname, a.attstorage, case when c.relispartition then '' else a.attidentity end, a.attgenerated,
                    (
                        select jsonb_agg(o.setting order by o.setting collate "C")
                        from unnest(a.attoptions) as o (setting)
                        where o.setting not like 'pg\_attver=%'
                    ),
                    coalesce(nullif(a.attstattarget, -1), -1)
                )
            from relation as c
            join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            left join pg_catalog.pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
            left join pg_catalog.pg_collation as l on l.oid = a.attcollation
            where c.relkind in ('r', 'p', 'f', 'v', 'm', 'c')

            union all
            select
                'constraint', coalesce(c.name, n.nspname || '.' || y.typname) || '.' || k.conname, null, null,
                obj_description(k.oid, 'pg_constraint'),
                jsonb_build_array(
                    k.contype, pg_get_constraintdef(k.oid), k.convalidated, k.condeferrable, k.condeferred,
                    case when c.relispartition and k.contype in ('p', 'u') then false else k.connoinherit end,
                    coalesce(to_jsonb(k) ->> 'conenforced', 'true'),
                    (
                        select jsonb_agg(g.tgenabled order by g.tgenabled)
                        from pg_catalog.pg_trigger as g
                        where g.tgconstraint = k.oid and g.tgisinternal
                    )
                )
            from namespace as n
            join pg_catalog.pg_constraint as k on k.connamespace = n.oid and k.contype not in ('n', 't')
            left join relation as c on c.oid = k.conrelid
            left join pg_catalog.pg_type as y on y.oid = k.contypid

            union all
            select
                'index', c.name, null, null, obj_description(c.oid, 'pg_class'),
                jsonb_build_array(
                    pg_get_indexdef(c.oid), c.reloptions, i.indisunique, i.indisprimary, i.indisexclusion, i.indimmediate,
                    i.indisclustered, i.indisvalid, i.indisready, i.indislive, i.indisreplident
                )
            from relation as c
            join pg_catalog.pg_index as i on i.indexrelid = c.oid

            union all
            select
                'trigger', c.name || '.' || g.tgname, null, null, obj_description(g.oid, 'pg_trigger'),
                jsonb_build_array(pg_get_triggerdef(g.oid), g.tgenabled)
            from relation as c
            join pg_catalog.pg_trigger as g on g.tgrelid = c.oid and not g.tgisinternal

            union all
            select
                'rule', c.name || '.' || r.rulename, null, null, obj_description(r.oid, 'pg_rewrite'),
                jsonb_build_array(pg_get_ruledef(r.oid), r.ev_enabled)
            from relation as c
            join pg_catalog.pg_rewrite as r on r.ev_class = c.oid and r.rulename <> '_RETURN'

            union all
            select
                'policy', c.name || '.' || p.polname, null, null, obj_description(p.oid, 'pg_policy'),
                jsonb_build_array(
                    p.polcmd, p.polpermissive, pg_get_expr(p.polqual, c.oid), pg_get_expr(p.polwithcheck, c.oid),
                    (
                        select jsonb_agg(coalesce(r.rolname, 'PUBLIC') order by r.rolname)
                        from unnest(p.polroles) as q (oid)
                        left join pg_catalog.pg_roles as r on r.oid = q.oid
                    )
                )
            from relation as c
            join pg_catalog.pg_policy as p on p.polrelid = c.oid

            union all
            select
                'statistics', n.nspname || '.' || s.stxname, s.stxowner, null, obj_description(s.oid, 'pg_statistic_ext'),
                jsonb_build_array(pg_get_statisticsobjdef(s.oid))
            from namespace as n
            join pg_catalog.pg_statistic_ext as s on s.stxnamespace = n.oid

            union all
            select
                'sequence', c.name, c.relowner, coalesce(c.relacl, acldefault('s', c.relowner)),
                obj_description(c.oid, 'pg_class'),
                jsonb_build_array(
                    c.relpersistence, format_type(s.seqtypid, null), s.seqstart, s.seqincrement, s.seqmax, s.seqmin,
                    s.seqcache, s.seqcycle,
                    (
                        select jsonb_agg(array[d.deptype::text, t.relname, a.attname] order by t.relname, a.attname)
                        from pg_catalog.pg_depend as d
                        join pg_catalog.pg_class as t on t.oid = d.refobjid
                        join pg_catalog.pg_attribute as a on a.attrelid = t.oid and a.attnum = d.refobjsubid
                        where d.classid = 'pg_class'::regclass and d.objid = c.oid
                            and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
                    )
                )
            from relation as c
            join pg_catalog.pg_sequence as s on s.seqrelid = c.oid

            union all
            select
                'function',
                n.nspname || '.' || p.proname || '('
                || coalesce(
                    (
                        select string_agg(
                            case when y.typnamespace = n.oid then n.nspname || '.' else '' end
                            || regexp_replace(format_type(y.oid, null), '^iucore\.', ''), ', ' order by u.nth
                        )
                        from unnest(p.proargtypes::oid[]) with ordinality as u (oid, nth)
                        join pg_catalog.pg_type as y on y.oid = u.oid
                    ), ''
                ) || ')',
                p.proowner, coalesce(p.proacl, acldefault('f', p.proowner)), obj_description(p.oid, 'pg_proc'),
                jsonb_build_array(
                    p.prokind, l.lanname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
                    encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex'), p.probin,
                    regexp_replace(
                        regexp_replace(pg_get_function_sqlbody(p.oid), '("[^"]+"|\m[a-z_][a-z0-9_$]*)\.', '', 'g'),
                        '\s+', '', 'g'
                    ),
                    p.prosecdef, p.proleakproof, p.proisstrict, p.proretset, p.provolatile, p.proparallel, p.procost, p.prorows,
                    p.prosupport::text, (select jsonb_agg(s order by s collate "C") from unnest(p.proconfig) as s)
                )
                || coalesce(
                    (
                        select jsonb_build_array(
                            g.aggkind, g.aggnumdirectargs, g.aggtransfn::text, g.aggfinalfn::text, g.aggcombinefn::text,
                            g.aggserialfn::text, g.aggdeserialfn::text, g.aggmtransfn::text, g.aggminvtransfn::text,
                            g.aggmfinalfn::text, g.aggfinalextra, g.aggmfinalextra, g.aggfinalmodify, g.aggmfinalmodify,
                            (select o.oprname from pg_catalog.pg_operator as o where o.oid = g.aggsortop),
                            format_type(g.aggtranstype, null), g.aggtransspace,
                            format_type(nullif(g.aggmtranstype, 0), null), g.aggmtransspace, g.agginitval, g.aggminitval
                        )
                        from pg_catalog.pg_aggregate as g
                        where g.aggfnoid = p.oid
                    ), '[]'
                )
            from namespace as n
            join pg_catalog.pg_proc as p on p.pronamespace = n.oid
            join pg_catalog.pg_language as l on l.oid = p.prolang

            union all
            select
                'type', n.nspname || '.' || y.typname, y.typowner, coalesce(y.typacl, acldefault('T', y.typowner)),
                obj_description(y.oid, 'pg_type'),
                jsonb_build_array(
                    y.typtype, format_type(nullif(y.typbasetype, 0), y.typtypmod), y.typnotnull, y.typdefault, l.collname,
                    (select jsonb_agg(e.enumlabel order by e.enumsortorder) from pg_catalog.pg_enum as e where e.enumtypid = y.oid),
                    (select format_type(r.rngsubtype, null) from pg_catalog.pg_range as r where r.rngtypid = y.oid)
                )
            from namespace as n
            join pg_catalog.pg_type as y on y.typnamespace = n.oid
            left join pg_catalog.pg_class as c on c.oid = y.typrelid
            left join pg_catalog.pg_collation as l on l.oid = y.typcollation
            where y.typtype in ('e', 'd', 'r', 'm') or (y.typtype = 'c' and c.relkind = 'c')

            union all
            select
                'default_privilege',
                r.rolname || ' ' || coalesce(n.nspname, '*') || ' '
                || case d.defaclobjtype
                    when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
                    when 'T' then 'types' when 'n' then 'schemas' else 'large objects'
                end,
                null, d.defaclacl, null, '[]'
            from pg_catalog.pg_default_acl as d
            join pg_catalog.pg_roles as r on r.oid = d.defaclrole
            left join pg_catalog.pg_namespace as n on n.oid = d.defaclnamespace
            where n.nspname = 'iucore' or r.rolname like 'iucore\_%'

            union all
            select
                'role', r.rolname::text, null, null, shobj_description(r.oid, 'pg_authid'),
                jsonb_build_array(
                    r.rolcanlogin, r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolbypassrls, r.rolreplication, r.rolinherit,
                    r.rolconnlimit, r.rolvaliduntil at time zone 'UTC',
                    (
                        select jsonb_agg(s.setting order by s.setting collate "C")
                        from pg_catalog.pg_db_role_setting as o
                        cross join unnest(o.setconfig) as s (setting)
                        where o.setrole = r.oid
                            and o.setdatabase in (
                                0, (select b.oid from pg_catalog.pg_database as b where b.datname = current_database())
                            )
                    ),
                    (
                        select jsonb_agg(distinct concat_ws(
                            ' ', g.rolname, m.admin_option, coalesce(to_jsonb(m) ->> 'inherit_option', r.rolinherit::text),
                            coalesce(to_jsonb(m) ->> 'set_option', 'true')
                        ) collate "C")
                        from pg_catalog.pg_auth_members as m
                        join pg_catalog.pg_roles as g on g.oid = m.roleid
                        where m.member = r.oid
                    )
                )
            from pg_catalog.pg_roles as r
            where r.rolname like 'iucore\_%'
                and exists (
                    select
                    from pg_catalog.pg_shdepend as d
                    join pg_catalog.pg_database as b on b.oid = d.dbid
                    where b.datname = current_database() and d.refclassid = 'pg_authid'::regclass and d.refobjid = r.oid
                )
        ),

        named as (
            select
                d.kind::text as kind,
                d.object,
                regexp_replace(d.definition::text, '\m(iucore|pg_catalog)\.', '', 'g') as definition,
                d.owner, d.acl, d.comment
            from described as d
        )

        select
            o.kind,
            o.object,
            left(encode(sha256(convert_to(
                jsonb_build_array(
                    pg_get_userbyid(o.owner),
                    (
                        select jsonb_agg(distinct concat(
                            coalesce(r.rolname, 'PUBLIC'), '=', x.privilege_type, case when x.is_grantable then '*' end
                        ) collate "C")
                        from aclexplode(o.acl) as x
                        left join pg_catalog.pg_roles as r on r.oid = x.grantee
                        where x.privilege_type <> 'MAINTAIN'
                    ),
                    o.comment,
                    o.definition
                )::text, 'UTF8'
            )), 'hex'), 32) as fingerprint
        from named as o

        union all
        select r.kind, r.object, r.fingerprint
        from jsonb_to_recordset(v_rows) as r (kind text, object text, fingerprint text)
    )

    select string_agg(
        concat(w.kind, ' ', w.object, case when f.object is null then ' is missing' else ' is altered' end), E'\n'
        order by w.kind collate "C", w.object collate "C"
    )
    into v_differ
    from wanted as w
    left join found as f on f.kind = w.kind and f.object = w.object
    where f.fingerprint is distinct from w.fingerprint;
    perform pg_catalog.set_config('search_path', v_path, true);
    if v_differ is not null then
        raise exception using
            errcode = 'IU904',
            message = 'objects of revision 0020 are missing or altered',
            detail = v_differ,
            hint = 'Compare the whole database with: iucore inventory verify';
    end if;
end
$iu_verify_0020$;
