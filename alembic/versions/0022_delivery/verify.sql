-- Read only. Raises IU904 unless each of the 363 objects that this revision made or replaced is as it was made.
-- Written by scripts/freeze from sql/inventory.sql; run it while the database is at revision 0022.
do $iu_verify_0022$
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
            ('f9144e21476a9a5a09feb9f775c9726d', 'column', 'iucore.dead_letter.attempts'),
            ('4498c3c32816a46594f6381f5794dc8e', 'column', 'iucore.dead_letter.closed_change'),
            ('812041f2aeec74b235ee26f5d2040c12', 'column', 'iucore.dead_letter.dead_letter'),
            ('356cb85714fc8731da4eb556f8790f9d', 'column', 'iucore.dead_letter.event_id'),
            ('89f37184688adc2d0cdf80360206d6a4', 'column', 'iucore.dead_letter.event_type'),
            ('6c79d67b29ebe44add183f25bff39082', 'column', 'iucore.dead_letter.made_at'),
            ('d2f32171c8a323658fb56e443acb6930', 'column', 'iucore.dead_letter.position'),
            ('a54913e90706500fa10130eb7cfad37a', 'column', 'iucore.dead_letter.reason'),
            ('320a8a6c36437a7145efc15973d1cc1e', 'column', 'iucore.dead_letter.route'),
            ('2dfd10f843e6eb47b039e6e1638cb992', 'column', 'iucore.dead_letter.subject'),
            ('33f8220cc0cca84a1b13c59d842d65da', 'column', 'iucore.delivery_attempt.attempt'),
            ('496ebe89151aa6e6c91a6589ddb93c91', 'column', 'iucore.delivery_attempt.claim'),
            ('530383c402a13335220c2c493573fe54', 'column', 'iucore.delivery_attempt.error'),
            ('5f7fa2e6432e3bd744429cd10dfdff90', 'column', 'iucore.delivery_attempt.made_at'),
            ('327c1a4fab8e310b3ab3da18c05ea579', 'column', 'iucore.delivery_attempt.outcome'),
            ('d2f32171c8a323658fb56e443acb6930', 'column', 'iucore.delivery_attempt.position'),
            ('320a8a6c36437a7145efc15973d1cc1e', 'column', 'iucore.delivery_attempt.route'),
            ('1b4ee34a6f13d377611b42875ebeab05', 'column', 'iucore.delivery_attempt.slot'),
            ('2134e93fa5c1498a485f16a944583cd0', 'column', 'iucore.delivery_attempt_1.attempt'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.delivery_attempt_1.claim'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.delivery_attempt_1.error'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.delivery_attempt_1.made_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_attempt_1.outcome'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.delivery_attempt_1.position'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_attempt_1.route'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.delivery_attempt_1.slot'),
            ('2134e93fa5c1498a485f16a944583cd0', 'column', 'iucore.delivery_attempt_2.attempt'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.delivery_attempt_2.claim'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.delivery_attempt_2.error'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.delivery_attempt_2.made_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_attempt_2.outcome'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.delivery_attempt_2.position'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_attempt_2.route'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.delivery_attempt_2.slot'),
            ('2134e93fa5c1498a485f16a944583cd0', 'column', 'iucore.delivery_attempt_3.attempt'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.delivery_attempt_3.claim'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.delivery_attempt_3.error'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.delivery_attempt_3.made_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_attempt_3.outcome'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.delivery_attempt_3.position'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_attempt_3.route'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.delivery_attempt_3.slot'),
            ('2134e93fa5c1498a485f16a944583cd0', 'column', 'iucore.delivery_attempt_4.attempt'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.delivery_attempt_4.claim'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.delivery_attempt_4.error'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.delivery_attempt_4.made_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_attempt_4.outcome'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.delivery_attempt_4.position'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_attempt_4.route'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.delivery_attempt_4.slot'),
            ('e058fe30827971d0e028a890f34bac35', 'column', 'iucore.delivery_cursor.change_id'),
            ('1730cd6c25c2660d067067a7dc857a4c', 'column', 'iucore.delivery_cursor.deferred'),
            ('1b361bfefb1a4b4e29c9f817e1c980e4', 'column', 'iucore.delivery_cursor.error'),
            ('9b25e258e7ba4a4b8f50d678dbb70021', 'column', 'iucore.delivery_cursor.expires_at'),
            ('57cfdec3ef736d1adffcece5dcf0772f', 'column', 'iucore.delivery_cursor.failures'),
            ('1d5e29b3dedbd0bb60ad2fad0fc68112', 'column', 'iucore.delivery_cursor.kind'),
            ('c5271310baea379f610523705d9a054b', 'column', 'iucore.delivery_cursor.made_at'),
            ('5a176227b809baa6b07361b562964079', 'column', 'iucore.delivery_cursor.mode'),
            ('d6978f8a874019a4a7624b30640290a1', 'column', 'iucore.delivery_cursor.partition'),
            ('da1d79d0a46db77265b936611106d621', 'column', 'iucore.delivery_cursor.position'),
            ('b7c1168f307546ad70533fab59687ab8', 'column', 'iucore.delivery_cursor.positions'),
            ('9a5f4a124f803d3d51f7674a2b8381d9', 'column', 'iucore.delivery_cursor.resume_at'),
            ('320a8a6c36437a7145efc15973d1cc1e', 'column', 'iucore.delivery_cursor.route'),
            ('38c5210441ac4459c68a658ae45c7852', 'column', 'iucore.delivery_cursor.seq'),
            ('1b4ee34a6f13d377611b42875ebeab05', 'column', 'iucore.delivery_cursor.slot'),
            ('93d6cb47da4346796b13b304d8171604', 'column', 'iucore.delivery_cursor.source'),
            ('f57031912fe572a6fd1a80f8ef78d69b', 'column', 'iucore.delivery_cursor.upto'),
            ('79876f20d96a56addcb4439480112613', 'column', 'iucore.delivery_cursor.worker'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.delivery_cursor_1.change_id'),
            ('a3e6b123aabcb143fb72968721397d6c', 'column', 'iucore.delivery_cursor_1.deferred'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.delivery_cursor_1.error'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.delivery_cursor_1.expires_at'),
            ('3cb14a7d8fa40a460767fa07eda9e11f', 'column', 'iucore.delivery_cursor_1.failures'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_cursor_1.kind'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.delivery_cursor_1.made_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_cursor_1.mode'),
            ('2134e93fa5c1498a485f16a944583cd0', 'column', 'iucore.delivery_cursor_1.partition'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.delivery_cursor_1.position'),
            ('a3e6b123aabcb143fb72968721397d6c', 'column', 'iucore.delivery_cursor_1.positions'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.delivery_cursor_1.resume_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_cursor_1.route'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.delivery_cursor_1.seq'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.delivery_cursor_1.slot'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.delivery_cursor_1.source'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.delivery_cursor_1.upto'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.delivery_cursor_1.worker'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.delivery_cursor_2.change_id'),
            ('a3e6b123aabcb143fb72968721397d6c', 'column', 'iucore.delivery_cursor_2.deferred'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.delivery_cursor_2.error'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.delivery_cursor_2.expires_at'),
            ('3cb14a7d8fa40a460767fa07eda9e11f', 'column', 'iucore.delivery_cursor_2.failures'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_cursor_2.kind'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.delivery_cursor_2.made_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_cursor_2.mode'),
            ('2134e93fa5c1498a485f16a944583cd0', 'column', 'iucore.delivery_cursor_2.partition'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.delivery_cursor_2.position'),
            ('a3e6b123aabcb143fb72968721397d6c', 'column', 'iucore.delivery_cursor_2.positions'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.delivery_cursor_2.resume_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_cursor_2.route'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.delivery_cursor_2.seq'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.delivery_cursor_2.slot'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.delivery_cursor_2.source'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.delivery_cursor_2.upto'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.delivery_cursor_2.worker'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.delivery_cursor_3.change_id'),
            ('a3e6b123aabcb143fb72968721397d6c', 'column', 'iucore.delivery_cursor_3.deferred'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.delivery_cursor_3.error'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.delivery_cursor_3.expires_at'),
            ('3cb14a7d8fa40a460767fa07eda9e11f', 'column', 'iucore.delivery_cursor_3.failures'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_cursor_3.kind'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.delivery_cursor_3.made_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_cursor_3.mode'),
            ('2134e93fa5c1498a485f16a944583cd0', 'column', 'iucore.delivery_cursor_3.partition'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.delivery_cursor_3.position'),
            ('a3e6b123aabcb143fb72968721397d6c', 'column', 'iucore.delivery_cursor_3.positions'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.delivery_cursor_3.resume_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_cursor_3.route'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.delivery_cursor_3.seq'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.delivery_cursor_3.slot'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.delivery_cursor_3.source'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.delivery_cursor_3.upto'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.delivery_cursor_3.worker'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.delivery_cursor_4.change_id'),
            ('a3e6b123aabcb143fb72968721397d6c', 'column', 'iucore.delivery_cursor_4.deferred'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.delivery_cursor_4.error'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.delivery_cursor_4.expires_at'),
            ('3cb14a7d8fa40a460767fa07eda9e11f', 'column', 'iucore.delivery_cursor_4.failures'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_cursor_4.kind'),
            ('e5416c29db965b4ea5035f383a319495', 'column', 'iucore.delivery_cursor_4.made_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_cursor_4.mode'),
            ('2134e93fa5c1498a485f16a944583cd0', 'column', 'iucore.delivery_cursor_4.partition'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.delivery_cursor_4.position'),
            ('a3e6b123aabcb143fb72968721397d6c', 'column', 'iucore.delivery_cursor_4.positions'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.delivery_cursor_4.resume_at'),
            ('1039c72b45fccbfe6e0581318095c177', 'column', 'iucore.delivery_cursor_4.route'),
            ('262e6c5b0e67b3d3b95f11533a6ae1bf', 'column', 'iucore.delivery_cursor_4.seq'),
            ('908e5a49dd2faf748621cc597c522e8a', 'column', 'iucore.delivery_cursor_4.slot'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.delivery_cursor_4.source'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.delivery_cursor_4.upto'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.delivery_cursor_4.worker'),
            ('f9144e21476a9a5a09feb9f775c9726d', 'column', 'iucore.delivery_retry.attempts'),
            ('51905ba798fd6332347c59b1ba2d8184', 'column', 'iucore.delivery_retry.error'),
            ('020d4aa47e08be6f524e6d23414fc4ce', 'column', 'iucore.delivery_retry.next_at'),
            ('4f865b5fc1d02a660f383991a1c929c1', 'column', 'iucore.delivery_retry.partition'),
            ('d2f32171c8a323658fb56e443acb6930', 'column', 'iucore.delivery_retry.position'),
            ('320a8a6c36437a7145efc15973d1cc1e', 'column', 'iucore.delivery_retry.route'),
            ('1f80c7cc19a5da8c21b8d5c2a0d3c58e', 'column', 'iucore.delivery_retry.state'),
            ('33b83e3c4e6efb198f491233b0f6d4e0', 'column', 'iucore.delivery_retry.subject'),
            ('a9928652dc4668e14ea6633e54690fa2', 'column', 'iucore.route_partition.partition'),
            ('320a8a6c36437a7145efc15973d1cc1e', 'column', 'iucore.route_partition.route'),
            ('d3499ef6dac685aab63e6b95c9914c26', 'column', 'iucore.route_setting.axis'),
            ('4ea72d99f48ea85926d9a731db7184e1', 'column', 'iucore.route_setting.axis_value'),
            ('f2a87e8a2bd05fc4a2e789f341903cf6', 'column', 'iucore.route_setting.backoff_cap_ms'),
            ('8e9d3f6426e1d55c12d1f6e78215b34a', 'column', 'iucore.route_setting.backoff_ms'),
            ('1992d9be4711ec09c423d366cc6ec0c4', 'column', 'iucore.route_setting.change_id'),
            ('49010d52a3e237d4d99491460b7dd690', 'column', 'iucore.route_setting.max_attempts'),
            ('12ebe139c252a1589c3d66d531c2d68e', 'column', 'iucore.route_setting.networks'),
            ('09986027a40d0f56bbbb7ee7cddbf846', 'column', 'iucore.route_setting.ordered'),
            ('91be5348616886316a4cde47b464e81d', 'column', 'iucore.route_setting.partitions'),
            ('320a8a6c36437a7145efc15973d1cc1e', 'column', 'iucore.route_setting.route'),
            ('9b0a02b42ac35ebe112f5094c23c70fa', 'column', 'iucore.route_setting.subject_prefix'),
            ('9c1206de92e041332d9b45226428daf6', 'column', 'iucore.route_setting.target'),
            ('ac45dc004fa2bd1106962c0cf9815519', 'column', 'iucore.route_setting.transport'),
            ('73b9ec8bd77463a5fa0af8e1d75aa696', 'column', 'iucore.v_dead_letter.attempts'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_dead_letter.closed_change'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_dead_letter.dead_letter'),
            ('9baa0b29c05773f323d6c50d6066f4b7', 'column', 'iucore.v_dead_letter.event_id'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_dead_letter.event_type'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.v_dead_letter.made_at'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_dead_letter.position'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_dead_letter.reason'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_dead_letter.route'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_dead_letter.state'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_dead_letter.subject'),
            ('73b9ec8bd77463a5fa0af8e1d75aa696', 'column', 'iucore.v_delivery_attempt.attempt'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.v_delivery_attempt.claimed_at'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_delivery_attempt.error'),
            ('9baa0b29c05773f323d6c50d6066f4b7', 'column', 'iucore.v_delivery_attempt.event_id'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_delivery_attempt.event_type'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.v_delivery_attempt.made_at'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_delivery_attempt.outcome'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_delivery_attempt.position'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_delivery_attempt.route'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_delivery_attempt.subject'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_delivery_attempt.worker'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_outbox_health.head'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_outbox_health.lane'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.v_outbox_health.oldest_at'),
            ('effe195dd1efa92e93ee3535646852a5', 'column', 'iucore.v_outbox_health.oldest_seconds'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.v_outbox_health.sequenced_at'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_outbox_health.unsequenced'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_route_health.cursor_mode'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_route_health.dead'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_route_health.deferred'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_route_health.event_type'),
            ('d618204619d969382d60c6c7c22c22ca', 'column', 'iucore.v_route_health.execution_enabled'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_route_health.lag_events'),
            ('effe195dd1efa92e93ee3535646852a5', 'column', 'iucore.v_route_health.lag_seconds'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.v_route_health.last_batch_at'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_route_health.last_error'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_route_health.mode'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_route_health.position'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.v_route_health.resume_at'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_route_health.retries'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_route_health.route'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_route_health.transport'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_route_health.worker'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_route_part.change_id'),
            ('a3e6b123aabcb143fb72968721397d6c', 'column', 'iucore.v_route_part.deferred'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_route_part.error'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.v_route_part.expires_at'),
            ('9d184bfbc816e40c8f4f5b8bb3b9e9d0', 'column', 'iucore.v_route_part.failures'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_route_part.kind'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.v_route_part.made_at'),
            ('73b9ec8bd77463a5fa0af8e1d75aa696', 'column', 'iucore.v_route_part.partition'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_route_part.position'),
            ('a3e6b123aabcb143fb72968721397d6c', 'column', 'iucore.v_route_part.positions'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.v_route_part.resume_at'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_route_part.route'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_route_part.seq'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_route_part.source'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_route_part.upto'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_route_part.worker'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_route_setting.axis'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_route_setting.axis_value'),
            ('9d184bfbc816e40c8f4f5b8bb3b9e9d0', 'column', 'iucore.v_route_setting.backoff_cap_ms'),
            ('9d184bfbc816e40c8f4f5b8bb3b9e9d0', 'column', 'iucore.v_route_setting.backoff_ms'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_route_setting.change_id'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_route_setting.event_type'),
            ('d618204619d969382d60c6c7c22c22ca', 'column', 'iucore.v_route_setting.execution_enabled'),
            ('73b9ec8bd77463a5fa0af8e1d75aa696', 'column', 'iucore.v_route_setting.max_attempts'),
            ('79ed5a92aa763235830ac57dc5451bc9', 'column', 'iucore.v_route_setting.networks'),
            ('d618204619d969382d60c6c7c22c22ca', 'column', 'iucore.v_route_setting.ordered'),
            ('73b9ec8bd77463a5fa0af8e1d75aa696', 'column', 'iucore.v_route_setting.partitions'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_route_setting.route'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_route_setting.subject_prefix'),
            ('a8e162aee2da3d1d741b10665dd60bc9', 'column', 'iucore.v_route_setting.target'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_route_setting.transport'),
            ('8fe53814cee31544f72723951b066ae1', 'constraint', 'iucore.dead_letter.fk_dead_letter_closed'),
            ('106f6a775e064390626289636c393944', 'constraint', 'iucore.dead_letter.fk_dead_letter_route'),
            ('02a00f1a17181f650ca4011d1e8bdfab', 'constraint', 'iucore.dead_letter.pk_dead_letter'),
            ('70edde7b13b066ff59e773216303f732', 'constraint', 'iucore.delivery_attempt.ck_delivery_attempt_outcome'),
            ('70edde7b13b066ff59e773216303f732', 'constraint', 'iucore.delivery_attempt_1.ck_delivery_attempt_outcome'),
            ('70edde7b13b066ff59e773216303f732', 'constraint', 'iucore.delivery_attempt_2.ck_delivery_attempt_outcome'),
            ('70edde7b13b066ff59e773216303f732', 'constraint', 'iucore.delivery_attempt_3.ck_delivery_attempt_outcome'),
            ('70edde7b13b066ff59e773216303f732', 'constraint', 'iucore.delivery_attempt_4.ck_delivery_attempt_outcome'),
            ('d04094f0e0df30483d293eebba057972', 'constraint', 'iucore.delivery_cursor.ck_delivery_cursor_kind'),
            ('55398e51d61dc25b2ee0633bba137b64', 'constraint', 'iucore.delivery_cursor.ck_delivery_cursor_mode'),
            ('8b2651efc4c2d01b9e7e41bd82d873b9', 'constraint', 'iucore.delivery_cursor.pk_delivery_cursor'),
            ('d04094f0e0df30483d293eebba057972', 'constraint', 'iucore.delivery_cursor_1.ck_delivery_cursor_kind'),
            ('55398e51d61dc25b2ee0633bba137b64', 'constraint', 'iucore.delivery_cursor_1.ck_delivery_cursor_mode'),
            ('b5afd2923aa9da8049e8b7b178b6c073', 'constraint', 'iucore.delivery_cursor_1.delivery_cursor_1_pkey'),
            ('d04094f0e0df30483d293eebba057972', 'constraint', 'iucore.delivery_cursor_2.ck_delivery_cursor_kind'),
            ('55398e51d61dc25b2ee0633bba137b64', 'constraint', 'iucore.delivery_cursor_2.ck_delivery_cursor_mode'),
            ('b5afd2923aa9da8049e8b7b178b6c073', 'constraint', 'iucore.delivery_cursor_2.delivery_cursor_2_pkey'),
            ('d04094f0e0df30483d293eebba057972', 'constraint', 'iucore.delivery_cursor_3.ck_delivery_cursor_kind'),
            ('55398e51d61dc25b2ee0633bba137b64', 'constraint', 'iucore.delivery_cursor_3.ck_delivery_cursor_mode'),
            ('b5afd2923aa9da8049e8b7b178b6c073', 'constraint', 'iucore.delivery_cursor_3.delivery_cursor_3_pkey'),
            ('d04094f0e0df30483d293eebba057972', 'constraint', 'iucore.delivery_cursor_4.ck_delivery_cursor_kind'),
            ('55398e51d61dc25b2ee0633bba137b64', 'constraint', 'iucore.delivery_cursor_4.ck_delivery_cursor_mode'),
            ('b5afd2923aa9da8049e8b7b178b6c073', 'constraint', 'iucore.delivery_cursor_4.delivery_cursor_4_pkey'),
            ('f71de10d90f15e91b8673eeb05db6a0f', 'constraint', 'iucore.delivery_retry.ck_delivery_retry_state'),
            ('106f6a775e064390626289636c393944', 'constraint', 'iucore.delivery_retry.fk_delivery_retry_route'),
            ('4f8efbc9d291d836089c86b4d28c6b80', 'constraint', 'iucore.delivery_retry.pk_delivery_retry'),
            ('106f6a775e064390626289636c393944', 'constraint', 'iucore.route_partition.fk_route_partition_route'),
            ('cfe9499bd078bc86ea7f777f1bcbc7ee', 'constraint', 'iucore.route_partition.pk_route_partition'),
            ('dc9a467103b2268b00b9d6e154d6324b', 'constraint', 'iucore.route_setting.ck_route_setting_axis'),
            ('cc947e41cc4ead08271a61f9fd1ed6a4', 'constraint', 'iucore.route_setting.ck_route_setting_numbers'),
            ('a27325372f40e0b2078e96729c80bbdf', 'constraint', 'iucore.route_setting.fk_route_setting_axis'),
            ('b7e03c32ec414ab33b7d0b9fb473f80e', 'constraint', 'iucore.route_setting.fk_route_setting_change'),
            ('106f6a775e064390626289636c393944', 'constraint', 'iucore.route_setting.fk_route_setting_route'),
            ('5d461873dce1f363c38302c746dfb58d', 'constraint', 'iucore.route_setting.pk_route_setting'),
            ('f05e638e7c8714022a6b584f3982ad95', 'event_type', 'delivery.pruned'),
            ('612c058332cecd1d22b8b8150cb12628', 'event_type', 'route.configured'),
            ('bea819f138599c2827ab9282ad306b1f', 'event_type', 'route.replayed'),
            ('516a34f2380bdf9e2f635ad07cca2dfc', 'event_type', 'route.skipped'),
            ('38d292ac321f5a0e831b51b8da19145a', 'function', 'iucore.fn_iu_backoff(integer, integer, integer)'),
            ('fbd3dd79e8a5dd1598c5950575d0c059', 'function', 'iucore.fn_iu_delivery_allowed(bigint)'),
            ('640d7d335642742568c978f0e37d892e', 'function', 'iucore.fn_iu_delivery_claim(bigint)'),
            ('442dd74eb33dd2505ca06700c0a297a6', 'function', 'iucore.fn_iu_delivery_defer(text, smallint, bigint[])'),
            ('feea30e411714777a889a2e384c467a5', 'function', 'iucore.fn_iu_delivery_dry_run(text, text[], boolean, integer)'),
            ('96a9542c1ac27c8a03bdfd524a29f0cf', 'function', 'iucore.fn_iu_delivery_due(text, smallint, boolean, integer)'),
            ('21d173c222f15a8104dcd0da514ce78d', 'function', 'iucore.fn_iu_delivery_fail(bigint, bigint[], text, text[])'),
            ('4f78265ec685ed92eb884867824f1b06', 'function', 'iucore.fn_iu_delivery_fence(text, bigint[], bigint)'),
            ('025386cb89b6c5fb92a2c464ac7b2ebb', 'function', 'iucore.fn_iu_delivery_record(bigint, integer, bigint[], text[], text[], text, interval, boolean)'),
            ('be49ca02b54c12c93f05991cf36803ff', 'function', 'iucore.fn_iu_delivery_renew(bigint, interval)'),
            ('cba6735f308072ae9594229c15686a7e', 'function', 'iucore.fn_iu_delivery_take(text, text[], boolean, integer, interval)'),
            ('d0b94245892b3bec33179428d31b3d49', 'function', 'iucore.fn_iu_dry_run_position(text)'),
            ('a55547e5ab321b788ae54b8cf1bb9503', 'function', 'iucore.fn_iu_events_prune(timestamp with time zone, text, text, text)'),
            ('84439f63179bd27e794812ffacd09637', 'function', 'iucore.fn_iu_prune_blocker(smallint, bigint)'),
            ('959f6865171004955f51168e28a3ec5d', 'function', 'iucore.fn_iu_registry_check()'),
            ('5c862f6f4211bdb8f322e409db1914a6', 'function', 'iucore.fn_iu_route_arm(text, bigint)'),
            ('e301f069b4369a8db824c157964c8456', 'function', 'iucore.fn_iu_route_configure(text, text, text, jsonb, text[], text, text, text, boolean, integer, integer, integer, integer, text, text)'),
            ('61836a96385c614f6b0a60e93277563d', 'function', 'iucore.fn_iu_route_lag(text, bigint)'),
            ('c84f33af1b4aa7b3615b31cd6cd6ff65', 'function', 'iucore.fn_iu_route_positions(text, smallint, bigint, integer)'),
            ('fb1c1003029b0401ad15e214c13cbe4a', 'function', 'iucore.fn_iu_route_range(text, bigint, bigint, integer)'),
            ('666b7342bd2bcc6880b474dd87e7826e', 'function', 'iucore.fn_iu_route_register(text, text, text, text, text, text)'),
            ('ca20bb42b6ef5d00fd3367065882f037', 'function', 'iucore.fn_iu_route_replay(text, text, bigint[], bigint, bigint, text, text)'),
            ('bb19219e4dd8f252254f98da73dda496', 'function', 'iucore.fn_iu_route_set(text, boolean, text, text, text)'),
            ('5a37d72aea2222b1b2b7081a1a450f9a', 'function', 'iucore.fn_iu_route_show(text)'),
            ('0c538cca4f0599eecbf821fc400c4331', 'function', 'iucore.fn_iu_route_skip(text, text, bigint[], bigint[], bigint, text, text)'),
            ('e24a2145cf6cd398be544261f4f8c5aa', 'function', 'iucore.fn_iu_wake()'),
            ('9d83fe5b61efd136d4f93cdc83184845', 'index', 'iucore.delivery_attempt_1_position_idx'),
            ('6e94f9f7bc1bf4622da7dcef311ea247', 'index', 'iucore.delivery_attempt_2_position_idx'),
            ('83dc15aaf870cbc96800067fad1f52f7', 'index', 'iucore.delivery_attempt_3_position_idx'),
            ('da4df8e4b797721c1c0dd76a9f86372a', 'index', 'iucore.delivery_attempt_4_position_idx'),
            ('3e2ace9de7ae0449de6af5e3b248338b', 'index', 'iucore.delivery_cursor_1_pkey'),
            ('c41a4adda07347f1566a3a21be5d7736', 'index', 'iucore.delivery_cursor_1_route_partition_mode_seq_idx'),
            ('5e2e831ab8cc9fd87185f2ddd74d0d09', 'index', 'iucore.delivery_cursor_2_pkey'),
            ('eb7ac48c2f47a06e978bf3d7170f41b6', 'index', 'iucore.delivery_cursor_2_route_partition_mode_seq_idx'),
            ('ec977b90b70434136dc198c81e5f9925', 'index', 'iucore.delivery_cursor_3_pkey'),
            ('c04566d3c80dd13880e75bcf9cc8e26f', 'index', 'iucore.delivery_cursor_3_route_partition_mode_seq_idx'),
            ('adc8fa08b3be35e693ed6d6babd76b91', 'index', 'iucore.delivery_cursor_4_pkey'),
            ('13db7a5c6aa4f54dbebc8484a2574608', 'index', 'iucore.delivery_cursor_4_route_partition_mode_seq_idx'),
            ('28ca27e5d2e74459a307548b8c913e6d', 'index', 'iucore.idx_dead_letter_open'),
            ('a59724199bd77cb825663d8448602d20', 'index', 'iucore.idx_delivery_attempt_position'),
            ('7db6bd24046833fffc39399250c4c6d4', 'index', 'iucore.idx_delivery_cursor_route'),
            ('07ea66630fd0e92de230c32993abcf51', 'index', 'iucore.idx_delivery_retry_due'),
            ('142b478530b59b361ca265b3ea384b26', 'index', 'iucore.idx_delivery_retry_subject'),
            ('a2fd3dcb7aea7d7c47e979feec414a86', 'index', 'iucore.idx_route_setting_route'),
            ('1f00d13c5f4aa650d00d4085478f36f9', 'index', 'iucore.pk_dead_letter'),
            ('0e084a58eef0ef841228932d1710d428', 'index', 'iucore.pk_delivery_cursor'),
            ('00e258ea1c273ba58f91f42f28d06f85', 'index', 'iucore.pk_delivery_retry'),
            ('e0b9b1fcd525614b5b734eecc5625a00', 'index', 'iucore.pk_route_partition'),
            ('9ecbba99973141709d742a9f7eef2665', 'index', 'iucore.pk_route_setting'),
            ('eeda02d5e9e7ac831fd7354e789db999', 'route', 'delivery.pruned'),
            ('870201724d3601a578c0e7fcf9f12d61', 'route', 'route.configured'),
            ('7b748ff3fdee8d0e522f81eee0a6b8ad', 'route', 'route.replayed'),
            ('36a83f9114254887b3a6162ed05e6ebf', 'route', 'route.skipped'),
            ('124b520b5b0b8867a459e74bd0805896', 'sequence', 'iucore.dead_letter_dead_letter_seq'),
            ('8dc35f5110be42a2949266a9d63bccab', 'sequence', 'iucore.delivery_cursor_seq_seq'),
            ('db9cc5f2fd452abf73f68351a6c253b5', 'table', 'iucore.dead_letter'),
            ('aba68400641b68df24217a32ef4e460a', 'table', 'iucore.delivery_attempt'),
            ('690b8cb17b4760feb8a7297bc77b5c7d', 'table', 'iucore.delivery_attempt_1'),
            ('d455feab2be088138fbbb601f6e2f752', 'table', 'iucore.delivery_attempt_2'),
            ('cb87f108f10610e62abaa9aa096ae817', 'table', 'iucore.delivery_attempt_3'),
            ('26b3c8abde4932c205f05097c841b336', 'table', 'iucore.delivery_attempt_4'),
            ('cba9a37cf8a26f1d7a9bb09318aa5b23', 'table', 'iucore.delivery_cursor'),
            ('c49ee838d715b43b8dede6d3078ec003', 'table', 'iucore.delivery_cursor_1'),
            ('f75c14e6b4f4bda74c978acc9605e1c7', 'table', 'iucore.delivery_cursor_2'),
            ('25065aa2e0855f9d4fd78f4f21e921f2', 'table', 'iucore.delivery_cursor_3'),
            ('416581398122b73d16cb21cc6a9f0157', 'table', 'iucore.delivery_cursor_4'),
            ('0a502788f28e3389ac948d6f4ce3a8b8', 'table', 'iucore.delivery_retry'),
            ('56143dab1b3b49cc3adb3a6e252fe593', 'table', 'iucore.route_partition'),
            ('13a7b071af8622e54391edd6faaf4a79', 'table', 'iucore.route_setting'),
            ('67a3cfca0b3708339e3702fa8b375369', 'trigger', 'iucore.delivery_attempt.trg_delivery_attempt_append_only'),
            ('00f90f52124adcd4a35e6629060a5fc7', 'trigger', 'iucore.delivery_attempt_1.trg_delivery_attempt_append_only'),
            ('5e5c384e4562f05c6fe2b0a4953be1d4', 'trigger', 'iucore.delivery_attempt_2.trg_delivery_attempt_append_only'),
            ('ae762e318944a50449ab2650a48e1c12', 'trigger', 'iucore.delivery_attempt_3.trg_delivery_attempt_append_only'),
            ('2abb7da77be85fcd7a94f5ea5dc79a12', 'trigger', 'iucore.delivery_attempt_4.trg_delivery_attempt_append_only'),
            ('74a929b556a618b22ba5f854250accc3', 'trigger', 'iucore.delivery_cursor.trg_delivery_cursor_append_only'),
            ('269d427a7c003d43a3e6aa378cdb61a9', 'trigger', 'iucore.delivery_cursor_1.trg_delivery_cursor_append_only'),
            ('809fdbaa47c8dd80dcc53ddc24eef104', 'trigger', 'iucore.delivery_cursor_2.trg_delivery_cursor_append_only'),
            ('399aed4ff2a2829ab707021478fd0c6c', 'trigger', 'iucore.delivery_cursor_3.trg_delivery_cursor_append_only'),
            ('a41f99824ccfd68d42062d07d76fdcac', 'trigger', 'iucore.delivery_cursor_4.trg_delivery_cursor_append_only'),
            ('19d9030b9ada41479ce7b41c1836da18', 'trigger', 'iucore.route_partition.trg_route_partition_append_only'),
            ('e13b6e38fc6dee96596ae9e171b3aa85', 'trigger', 'iucore.route_setting.trg_route_setting_append_only'),
            ('4074a0c90fe4c46a866485f154da810f', 'view', 'iucore.v_dead_letter'),
            ('20de885455655ead0e0186b8b1ecc6ce', 'view', 'iucore.v_delivery_attempt'),
            ('2f0aa1fb29f1bab15d6d50cbb3589ee9', 'view', 'iucore.v_outbox_health'),
            ('8ce0713d3ba708e2ec3a4c1f7cbdaab1', 'view', 'iucore.v_route_health'),
            ('db212c0a22e760f99aa81cd7f0716ad7', 'view', 'iucore.v_route_part'),
            ('f2cf6cb2a7f5e80990fa4997c5ca68dd', 'view', 'iucore.v_route_setting')
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
            message = 'objects of revision 0022 are missing or altered',
            detail = v_differ,
            hint = 'Compare the whole database with: iucore inventory verify';
    end if;
end
$iu_verify_0022$;
