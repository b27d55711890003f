-- Read only. Raises IU904 unless each of the 88 objects that this revision made or replaced is as it was made.
-- Written by scripts/freeze from sql/inventory.sql; run it while the database is at revision 0002.
do $iu_verify_0002$
declare
    v_path constant text := pg_catalog.current_setting('search_path');
    v_differ text;
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    with wanted (fingerprint, kind, object) as (
        values
            ('2b166c019f2b1b883d3b09853ee2a74c', 'column', 'iucore.information_unit.address'),
            ('ca54b7533aa168b75a68dd817025bd65', 'column', 'iucore.information_unit.change_id'),
            ('1f975730306f38d0c02e8455ac5d4abf', 'column', 'iucore.information_unit.head_sha256'),
            ('dd80a3a3e7d9866864c1c562ae5a32d5', 'column', 'iucore.information_unit.head_version'),
            ('5021192dc54acc3b38d6f7b075fab265', 'column', 'iucore.information_unit.kind'),
            ('26834f2133e0dcbb8657a9f85b6ab1b1', 'column', 'iucore.information_unit.source_unit_id'),
            ('649da5d628df68a8689985093d4149bb', 'column', 'iucore.information_unit.source_version'),
            ('debbf0b12535f1dcaad8d2c83428af76', 'column', 'iucore.information_unit.unit_id'),
            ('e7b7bdd7ecee88c25446ee72996bb9f4', 'column', 'iucore.unit_content.body'),
            ('61ae2754fd66b7dadc4e4624582842f4', 'column', 'iucore.unit_content.byte_length'),
            ('5a71baa2e7e19a3af1c15d0940a5186d', 'column', 'iucore.unit_content.content_sha256'),
            ('dd25e439683e57706617849c4c7e6643', 'column', 'iucore.unit_kind.change_id'),
            ('6b72d0439a738c6f9f33068de6797c41', 'column', 'iucore.unit_kind.description'),
            ('860ffd134d20996e1ffa0e8d40eeaab5', 'column', 'iucore.unit_kind.kind'),
            ('adc506b59e43ab94cc88f080054343cd', 'column', 'iucore.unit_kind.title'),
            ('e2cdd71338f6902b155d4919334a61b0', 'column', 'iucore.unit_version.attributes'),
            ('14e7504c716ed9b2ca04b3f9cbc25557', 'column', 'iucore.unit_version.change_id'),
            ('72baf86a048d27815a2a0939183e121b', 'column', 'iucore.unit_version.content_sha256'),
            ('1ef2a4426f1c724883e73d2d26f2e426', 'column', 'iucore.unit_version.lifecycle'),
            ('adc506b59e43ab94cc88f080054343cd', 'column', 'iucore.unit_version.title'),
            ('17194157c65b9f0333f7b8bdf84f78b3', 'column', 'iucore.unit_version.unit_id'),
            ('d481dc84be9095a87943d5ec0fe9e0ab', 'column', 'iucore.unit_version.version'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_piece.address'),
            ('a8e162aee2da3d1d741b10665dd60bc9', 'column', 'iucore.v_piece.attributes'),
            ('9d184bfbc816e40c8f4f5b8bb3b9e9d0', 'column', 'iucore.v_piece.byte_length'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_piece.change_id'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.v_piece.changed_at'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_piece.content_sha256'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_piece.head_version'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_piece.kind'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_piece.lifecycle'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_piece.title'),
            ('9baa0b29c05773f323d6c50d6066f4b7', 'column', 'iucore.v_piece.unit_id'),
            ('7f51cf7a6aacc528c036de150d358ac3', 'constraint', 'iucore.information_unit.ck_information_unit_address'),
            ('5c60bc344626d972040e33e5b51dae84', 'constraint', 'iucore.information_unit.ck_information_unit_source'),
            ('b7e03c32ec414ab33b7d0b9fb473f80e', 'constraint', 'iucore.information_unit.fk_information_unit_change'),
            ('f6435a49938a6f86353f09e592652d1f', 'constraint', 'iucore.information_unit.fk_information_unit_source'),
            ('d50023de849018428a2f7435b4f6b917', 'constraint', 'iucore.information_unit.pk_information_unit'),
            ('069959a6d0ecdc1d405e5a9f94f18766', 'constraint', 'iucore.information_unit.uq_information_unit_address'),
            ('8af40f630f8257019777d619f88c5041', 'constraint', 'iucore.unit_content.ck_unit_content_length'),
            ('38334d74f728846baf8f6b2c817c582f', 'constraint', 'iucore.unit_content.ck_unit_content_sha256'),
            ('de3dd1d8f917eff443057be857f475da', 'constraint', 'iucore.unit_content.pk_unit_content'),
            ('cfa1a855abfd2b99f26f8ba64ad0b6f3', 'constraint', 'iucore.unit_kind.ck_unit_kind_name'),
            ('b7e03c32ec414ab33b7d0b9fb473f80e', 'constraint', 'iucore.unit_kind.fk_unit_kind_change'),
            ('33a0a82e0bc2da19f6bd711e143785e0', 'constraint', 'iucore.unit_kind.pk_unit_kind'),
            ('5ee375d239c094a1305c102c16e57d20', 'constraint', 'iucore.unit_version.ck_unit_version_attributes'),
            ('1e749a7de1291bad3542cd992c50e6ec', 'constraint', 'iucore.unit_version.ck_unit_version_lifecycle'),
            ('88bd021c9bf7ff2a93d7fffc3eb8878d', 'constraint', 'iucore.unit_version.ck_unit_version_number'),
            ('3ec435c9f8c06fa6f82a4043ead3f6ac', 'constraint', 'iucore.unit_version.ck_unit_version_title'),
            ('b7e03c32ec414ab33b7d0b9fb473f80e', 'constraint', 'iucore.unit_version.fk_unit_version_change'),
            ('0a99e95abc63dc81c9d1cfc1eca524c4', 'constraint', 'iucore.unit_version.fk_unit_version_content'),
            ('95c4380fd40af8cff17785ecfbab3f1c', 'constraint', 'iucore.unit_version.fk_unit_version_unit'),
            ('f517b47697a9d44b9422fb702dea83e2', 'constraint', 'iucore.unit_version.pk_unit_version'),
            ('1a1b9eaf1832f75fcb74c9ab835cc9a9', 'function', 'iucore.fn_iu_assert_body(text)'),
            ('df4e85ec2352c9a30de0ca0a4623c93c', 'function', 'iucore.fn_iu_assert_kind(text)'),
            ('37ddb5a582c3f5275d9bc9b4ae1ed571', 'function', 'iucore.fn_iu_clone(text, text, text, bigint, text, text, text)'),
            ('f793f194082672e6376b085381a77987', 'function', 'iucore.fn_iu_content_put(text)'),
            ('5d71e6855e20327138872bac1279cf74', 'function', 'iucore.fn_iu_create(text, text, text, text, text, jsonb, text, text)'),
            ('df877c86447731398c69424891d4e501', 'function', 'iucore.fn_iu_create_many(json, text, text, text)'),
            ('50117c2cd78a034766e4796213aaee8c', 'function', 'iucore.fn_iu_diff_input(text, bigint, bigint)'),
            ('5f32e868546e798905f3c463d69e0211', 'function', 'iucore.fn_iu_edit(text, bigint, text, text, text, jsonb, text, text)'),
            ('9da633f036a4059a085a9f04cdba782f', 'function', 'iucore.fn_iu_find_content(text[], text)'),
            ('311d71f9bed60c4a5460eee9150a5705', 'function', 'iucore.fn_iu_history(text)'),
            ('ac62300e839cb008d4e766ea6fd5e201', 'function', 'iucore.fn_iu_kind_list()'),
            ('0368dc37704c4c75a267088ea3bb38cd', 'function', 'iucore.fn_iu_kind_register(text, text, text, text, text, text)'),
            ('f6601b3a3a9b9c9fd5335bfd98130667', 'function', 'iucore.fn_iu_lifecycle_set(text, bigint, text, text, text, text)'),
            ('01874c3f65f3fca8fb9dfdb26e7894b4', 'function', 'iucore.fn_iu_list(text, text, text, bigint)'),
            ('78491c086a3c875e2ed58e09527a7a75', 'function', 'iucore.fn_iu_piece_row(uuid, bigint, boolean)'),
            ('a6564bb7736c2932b6b50edea75e4a2a', 'function', 'iucore.fn_iu_refuse_address(text, text)'),
            ('4cc13f08df97b7bf1df34a9f4decd376', 'function', 'iucore.fn_iu_refuse_json(text, text, text)'),
            ('1e60cd7d2c7faa8d076bafb649dc0ffa', 'function', 'iucore.fn_iu_refuse_pieces(json, bigint)'),
            ('fc990a98940c92a7ca963856f17615bf', 'function', 'iucore.fn_iu_refuse_unknown_piece(text)'),
            ('0d9405cae78f6621c38b13be23a228c2', 'function', 'iucore.fn_iu_show(text, bigint)'),
            ('c8c243db594d5e4301dab27b3ac5ea6a', 'function', 'iucore.fn_iu_unit_id(text)'),
            ('3ccc87b14ac5fb5b0b9c4b2fb3692180', 'function', 'iucore.fn_iu_version_put(text, bigint, text, text, text, jsonb, text, text, text, text)'),
            ('80ed770d1a3279819a67fd6b2b24c93c', 'index', 'iucore.idx_unit_version_content'),
            ('2e3e141ced2b1b088ee491fbb6913cd8', 'index', 'iucore.pk_information_unit'),
            ('ab8679e32043c96fdae4ec50e77a00ed', 'index', 'iucore.pk_unit_content'),
            ('c5099b8eb80cc25351059617bf081e45', 'index', 'iucore.pk_unit_kind'),
            ('25a7175d41828e3e828f3d18d613752c', 'index', 'iucore.pk_unit_version'),
            ('c9409c1fac1a830eb0fb3be9e77cca12', 'index', 'iucore.uq_information_unit_address'),
            ('4342ea066331ae7ec979acf6f7b35144', 'role', 'iucore_author'),
            ('bf62c61b6cc725e2cf39e2fb0b72d5e9', 'role', 'iucore_operator'),
            ('965394a3a332dc6d8823c6bb496bed65', 'table', 'iucore.information_unit'),
            ('55426ae9b275c6370f1b92069c74b55b', 'table', 'iucore.unit_content'),
            ('9551fd623fbd4512720d9d79ea38ca64', 'table', 'iucore.unit_kind'),
            ('e1d36d8508755c5ac4471020d610f442', 'table', 'iucore.unit_version'),
            ('a55f670c37b7cc38a929ac6d2d9704db', 'view', 'iucore.v_piece')
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
            message = 'objects of revision 0002 are missing or altered',
            detail = v_differ,
            hint = 'Compare the whole database with: iucore inventory verify';
    end if;
end
$iu_verify_0002$;
