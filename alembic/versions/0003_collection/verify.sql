-- Read only. Raises IU904 unless each of the 109 objects that this revision made or replaced is as it was made.
-- Written by scripts/freeze from sql/inventory.sql; run it while the database is at revision 0003.
do $iu_verify_0003$
declare
    v_path constant text := pg_catalog.current_setting('search_path');
    v_differ text;
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    with wanted (fingerprint, kind, object) as (
        values
            ('0c9d3728e1c170ed3684584408aef18a', 'column', 'iucore.collection.change_id'),
            ('debbf0b12535f1dcaad8d2c83428af76', 'column', 'iucore.collection.collection_id'),
            ('80c13f79fa146e16a08d948c2744bd0b', 'column', 'iucore.collection.head_change'),
            ('cee45a609779c0ccd91096e458dda4a5', 'column', 'iucore.collection.key'),
            ('27c8d5920c97575ae755611e6b18c528', 'column', 'iucore.collection.kind'),
            ('adc506b59e43ab94cc88f080054343cd', 'column', 'iucore.collection.title'),
            ('878ed607531706142b921eff0e40368a', 'column', 'iucore.collection_member.child_id'),
            ('bb421b79d6d5df723ccc33303b2c5099', 'column', 'iucore.collection_member.closed_change'),
            ('eae31f82ddee653d2306ff6f95e2d33c', 'column', 'iucore.collection_member.collection_id'),
            ('d099d28ec6413c48ae12e7feca22fc80', 'column', 'iucore.collection_member.label'),
            ('1d8fb1e68c5432ffbe37a8ddf4b9d28d', 'column', 'iucore.collection_member.member_id'),
            ('616ea2638f68a9e369841118f5282629', 'column', 'iucore.collection_member.opened_change'),
            ('ff2fb9e4647449bc4a381711c69dd6c0', 'column', 'iucore.collection_member.pinned_version'),
            ('c85aa27af870db72a535bdd09d1da2f6', 'column', 'iucore.collection_member.rank'),
            ('028e892da5163445c6fd4e7914a8bcf7', 'column', 'iucore.collection_member.row_id'),
            ('a064397264b60de17349756e5b65f1ae', 'column', 'iucore.collection_member.transitions'),
            ('109d2dfaad2b0bee696134bdaaa5eb30', 'column', 'iucore.collection_member.unit_id'),
            ('357e29803783cb727349e81b9754fa4a', 'column', 'iucore.nesting_guard.generation'),
            ('79fcc0f779677a650e59f89453482245', 'column', 'iucore.nesting_guard.singleton'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.v_collection.changed_at'),
            ('9baa0b29c05773f323d6c50d6066f4b7', 'column', 'iucore.v_collection.collection_id'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_collection.created_change'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_collection.head_change'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_collection.key'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_collection.kind'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_collection.members'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_collection.title'),
            ('012114a0464afbc5094ae154c5b31579', 'constraint', 'iucore.collection.ck_collection_key'),
            ('e3ce49d2b76c3a40b70d36a172acda08', 'constraint', 'iucore.collection.ck_collection_kind'),
            ('3ec435c9f8c06fa6f82a4043ead3f6ac', 'constraint', 'iucore.collection.ck_collection_title'),
            ('b7e03c32ec414ab33b7d0b9fb473f80e', 'constraint', 'iucore.collection.fk_collection_change'),
            ('023989abba38c3cb94989b567a813385', 'constraint', 'iucore.collection.fk_collection_head'),
            ('7ba97988e03a088459ff019ed2f3bc18', 'constraint', 'iucore.collection.pk_collection'),
            ('268372f9519a2350d6e57f6bc8f5c085', 'constraint', 'iucore.collection.uq_collection_key'),
            ('f4aa19f9c1c3210b1f39c4e632daf73c', 'constraint', 'iucore.collection_member.ck_collection_member_closed'),
            ('38a4def35ffde6a0a56e3cc45c43c07e', 'constraint', 'iucore.collection_member.ck_collection_member_pin'),
            ('384eebf397ec9a175fad441032378a82', 'constraint', 'iucore.collection_member.ck_collection_member_subject'),
            ('daee8ec868866e7db349825feebb917b', 'constraint', 'iucore.collection_member.fk_collection_member_child'),
            ('8fe53814cee31544f72723951b066ae1', 'constraint', 'iucore.collection_member.fk_collection_member_closed'),
            ('de1ea49a69cfaf2e290b701b1ffcfd14', 'constraint', 'iucore.collection_member.fk_collection_member_collection'),
            ('46b84186b7c28b1a3bec6b3b23c084d2', 'constraint', 'iucore.collection_member.fk_collection_member_opened'),
            ('b392e78f652573f682c2fa27475fb3da', 'constraint', 'iucore.collection_member.fk_collection_member_pin'),
            ('95c4380fd40af8cff17785ecfbab3f1c', 'constraint', 'iucore.collection_member.fk_collection_member_unit'),
            ('859f9d58331e43131e4dc8cc961ace98', 'constraint', 'iucore.collection_member.pk_collection_member'),
            ('02744afb8a5b6d269a490b0fbf600f3b', 'constraint', 'iucore.nesting_guard.ck_nesting_guard_singleton'),
            ('cff362d25b1ef9a7a629b3998b1fc0cd', 'constraint', 'iucore.nesting_guard.pk_nesting_guard'),
            ('b8a878c1aaf66e0b9425ca1d3075e56d', 'function', 'iucore.fn_iu_as_of(bigint, timestamp with time zone)'),
            ('edbfa3dda124f6cf1b56d1a21a6dd32c', 'function', 'iucore.fn_iu_assert_label_free(uuid, text, bigint)'),
            ('662460e24100cad0a7b3189a5658b7b7', 'function', 'iucore.fn_iu_assert_nesting(uuid, uuid)'),
            ('98eef96c93307d6898f11cc4bcdd2698', 'function', 'iucore.fn_iu_assert_render(text, numeric, numeric)'),
            ('01e64cba1652a0f14bdb6a962a4fb61b', 'function', 'iucore.fn_iu_assert_step(text, text, jsonb)'),
            ('85456822cbd8182f277ffd7de041c60f', 'function', 'iucore.fn_iu_collection_add(text, text, text, text, text, text, bigint, text, jsonb, text, text)'),
            ('d230e0deb5c8e258c175ab2e0c828f39', 'function', 'iucore.fn_iu_collection_create(text, text, text, text, json, text, text)'),
            ('49572720dcec43852848ce5cbba82d0a', 'function', 'iucore.fn_iu_collection_history(text)'),
            ('9f64ed27c80d1a2dc1fd7a066765b81d', 'function', 'iucore.fn_iu_collection_id(text, bigint)'),
            ('3489f1e61da564ceb31f0c270a411af5', 'function', 'iucore.fn_iu_collection_list(text, text, bigint)'),
            ('605ce85eb87c522bf09abb140224d53d', 'function', 'iucore.fn_iu_collection_measure(uuid, bigint, boolean)'),
            ('8b4d024993c095c8f56fc1dce8c7f7ee', 'function', 'iucore.fn_iu_collection_members(text, bigint, timestamp with time zone)'),
            ('b7231801b79eb171afd8892c724da383', 'function', 'iucore.fn_iu_collection_pin(text, text, text, bigint, text, text)'),
            ('b2aba68532599c3b74f989862a52a1d9', 'function', 'iucore.fn_iu_collection_rebalance(text, text, text, text)'),
            ('96216c9eee76fc214fd24ea138ee6f75', 'function', 'iucore.fn_iu_collection_remove(text, text, text, text, text)'),
            ('1d4aedbc58dde9501847a5b9bf1be2ef', 'function', 'iucore.fn_iu_collection_reorder(text, text, text, text, text, text, text)'),
            ('fa17bc89218000d022310cce30188f78', 'function', 'iucore.fn_iu_collection_replace(text, text, text, text, bigint, text, text)'),
            ('44990b8d10c84e1ae4df6e418ab1607a', 'function', 'iucore.fn_iu_collection_show(text)'),
            ('e13a4e5a09a519c580a50080cdb60f98', 'function', 'iucore.fn_iu_collection_unpin(text, text, text, text, text)'),
            ('8222561dc4219933a46032c0a6732e64', 'function', 'iucore.fn_iu_collection_validate(text)'),
            ('97721330d2623acccc61d1dec92431a7', 'function', 'iucore.fn_iu_collection_where_used(text)'),
            ('0ef5d3082e89a81fa6f8cd8e543e6324', 'function', 'iucore.fn_iu_composer_close(uuid, text, bigint, text, jsonb, bigint, text, bigint, boolean)'),
            ('2ff6ca8e704a3a7fa5e47c0153865e64', 'function', 'iucore.fn_iu_composer_open(text, text, text, text, text, jsonb, boolean)'),
            ('71907a65481bff6c6e118c38c2562855', 'function', 'iucore.fn_iu_is_nested(text, text)'),
            ('54c80bf588131455180f3b36ca3e703b', 'function', 'iucore.fn_iu_is_open(bigint, bigint, bigint)'),
            ('8a1a9a328cdb94444fdecae9ae1d264d', 'function', 'iucore.fn_iu_member_address(iucore.collection_member)'),
            ('688ea1915af333ec3b3991c837830b2c', 'function', 'iucore.fn_iu_member_find(uuid, text)'),
            ('bd0c3c534f37c2a08ef3d8f45aa2359b', 'function', 'iucore.fn_iu_member_put(iucore.collection_member, bigint)'),
            ('883b118a00ddb1bc76d8ce14bde104eb', 'function', 'iucore.fn_iu_members_at(uuid, bigint)'),
            ('2a9ad59e713e46f8e0dd93029d98c6e0', 'function', 'iucore.fn_iu_mermaid_text(text)'),
            ('043a1f2baa8141babd5393b324bd4232', 'function', 'iucore.fn_iu_nesting_lock()'),
            ('3c9aaa623c04ffc99752ff0b64aa03e7', 'function', 'iucore.fn_iu_pieces_at(uuid, bigint)'),
            ('57cd2eadc41e928a21472fc739d19ed8', 'function', 'iucore.fn_iu_rank_at(uuid, text, text, bigint, bigint)'),
            ('26b23264a99b9f1fa46ea4d1ae8137d2', 'function', 'iucore.fn_iu_rank_between(text, text)'),
            ('48a95854bf7646f7a4116a1189e27b40', 'function', 'iucore.fn_iu_rank_decode(text)'),
            ('d458fc19faf57c022971980f26da284c', 'function', 'iucore.fn_iu_rank_encode(bigint)'),
            ('e3ca6d63473a1015ee8c8d0e11767f3b', 'function', 'iucore.fn_iu_ranks_spread(uuid, bigint)'),
            ('f55cc407f472f4d733b70f4d05d48940', 'function', 'iucore.fn_iu_refuse_content(bigint)'),
            ('85d58b2d5322a1cbea5105617c8b6a1c', 'function', 'iucore.fn_iu_render(text, bigint, timestamp with time zone)'),
            ('321bdb40aa1b2853978a37372e4f9c50', 'function', 'iucore.fn_iu_render_pieces(text, bigint, timestamp with time zone)'),
            ('6c4fc727e074e58cbd4ee9287ee98769', 'function', 'iucore.fn_iu_render_workflow(text, text, bigint, timestamp with time zone)'),
            ('b77ef055b19b7d186ed692b4e055863b', 'function', 'iucore.fn_iu_standing_in(uuid, uuid)'),
            ('f399c8ac24cf6f690244ea2a35e8abca', 'function', 'iucore.fn_iu_step_set(text, text, text, text, jsonb, text, text)'),
            ('252435671974c1889d170fcae5ed7926', 'function', 'iucore.fn_iu_where_used(text)'),
            ('42d9f9e6696167d3224972edd327029a', 'function', 'iucore.fn_iu_workflow_reached(uuid)'),
            ('e45498d22415daa4a65b9ea04014c2de', 'function', 'iucore.fn_iu_workflow_ways(uuid, bigint)'),
            ('c544127d09229e813f9e8f837d162fb8', 'index', 'iucore.idx_collection_member_child'),
            ('83582ff437b4d1fb59bb63b7103c3402', 'index', 'iucore.idx_collection_member_closed'),
            ('a4f5046396bb84c47a815e93648a877b', 'index', 'iucore.idx_collection_member_nested'),
            ('16bc7bbf0f728cf112e0a5fc088e2e3c', 'index', 'iucore.idx_collection_member_unit'),
            ('0bdde44e09fbb54e368648037a83f312', 'index', 'iucore.pk_collection'),
            ('63cb3bb9d61809a59de8527b49fa02f6', 'index', 'iucore.pk_collection_member'),
            ('a85de3e32dc68acce6df0c0aac32799c', 'index', 'iucore.pk_nesting_guard'),
            ('2618d818a10932df52a7a54fb16e997c', 'index', 'iucore.uq_collection_key'),
            ('3e01ef9f63d80da2a8cd1f9f5212adcf', 'index', 'iucore.uq_collection_member_current'),
            ('5938687ac6b380ac840fed6befe10880', 'index', 'iucore.uq_collection_member_label'),
            ('116f344d92e52dca4e6848cfb2c20089', 'index', 'iucore.uq_collection_member_rank'),
            ('ec02f75b19a410f5d4a0a2fcc5f02a8b', 'sequence', 'iucore.collection_member_id'),
            ('a8e5dc859d65872d128fc7ac0f849e82', 'sequence', 'iucore.collection_member_row_id_seq'),
            ('94648bfb972ac0d8dfb28132d8e80c05', 'table', 'iucore.collection'),
            ('cd1e7dc5b3d05cbbf20cd70d8a5b8ff0', 'table', 'iucore.collection_member'),
            ('6c8c6a3654166bb8039ed23088b4bea3', 'table', 'iucore.nesting_guard'),
            ('03d5eb20fa657df3c672ce97c3e8a026', 'view', 'iucore.v_collection')
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
                    l.collname, a.attstorage, a.attidentity, a.attgenerated,
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
                    k.contype, pg_get_constraintdef(k.oid), k.convalidated, k.condeferrable, k.condeferred, k.connoinherit,
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
            message = 'objects of revision 0003 are missing or altered',
            detail = v_differ,
            hint = 'Compare the whole database with: iucore inventory verify';
    end if;
end
$iu_verify_0003$;
