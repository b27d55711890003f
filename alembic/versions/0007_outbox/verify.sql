-- Read only. Raises IU904 unless each of the 81 objects that this revision made or replaced is as it was made.
-- Written by scripts/freeze from sql/inventory.sql; run it while the database is at revision 0007.
do $iu_verify_0007$
declare
    v_path constant text := pg_catalog.current_setting('search_path');
    v_differ text;
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    with wanted (fingerprint, kind, object) as (
        values
            ('f2eb6c588bc7ce216c5521da96949525', 'column', 'iucore.event_outbox.actor'),
            ('28bad8be72e66113953173eee08fc666', 'column', 'iucore.event_outbox.aggregateid'),
            ('63efdeb59169d682dff69ce0b665a051', 'column', 'iucore.event_outbox.aggregatetype'),
            ('14e7504c716ed9b2ca04b3f9cbc25557', 'column', 'iucore.event_outbox.change_id'),
            ('6ea552a41736994a775f584a1a548960', 'column', 'iucore.event_outbox.claimed_actor'),
            ('758af39995501003f6e9cc34e3ee1c08', 'column', 'iucore.event_outbox.created_at'),
            ('c42ff3c98404a07fb0849b9a0d880cc5', 'column', 'iucore.event_outbox.delivery_lane'),
            ('5f3e0c82c26230537bb4d4c7fb0a992a', 'column', 'iucore.event_outbox.event_subject_ref'),
            ('edb18983c6d12aa762c2cd669f489358', 'column', 'iucore.event_outbox.event_type'),
            ('e2454514122650d26cc3d81f902c52aa', 'column', 'iucore.event_outbox.id'),
            ('0ca96c3027d55c99fe77bb3b7b3d3fb3', 'column', 'iucore.event_outbox.payload'),
            ('76ca86857b2beec09deb8d22f8367bd1', 'column', 'iucore.event_outbox.type'),
            ('095c91573666402401e07482f85ae38d', 'column', 'iucore.event_outbox.xid'),
            ('f92e031d92c3f4fa5619383973144fd5', 'column', 'iucore.event_type.change_id'),
            ('7dd7d89381a88c555a51efc916418e0c', 'column', 'iucore.event_type.delivery_lane'),
            ('2a91fb3532e2aed5f720e799e72b0af5', 'column', 'iucore.event_type.event_type'),
            ('0c557622d54388d8e9b58a667b9a494b', 'column', 'iucore.event_type.is_delta'),
            ('5018fbf5ad6db7678f8508ad1d6fdb0c', 'column', 'iucore.event_type.title'),
            ('aa83cd5e578e50fdad46e54d9311cdab', 'column', 'iucore.route.change_id'),
            ('e5439405904fdae0838fc297b704b056', 'column', 'iucore.route.delivery_lane'),
            ('50dc6d289caa7bec6d83e1a6d72d2487', 'column', 'iucore.route.event_type'),
            ('595ad67ab59c1b220063ec3af9902259', 'column', 'iucore.route.execution_enabled'),
            ('a8e9cf29aa56992b39079609cea9b5e4', 'column', 'iucore.route.route'),
            ('8b076929f3cf25a8ee2b0f73a1acee0d', 'column', 'iucore.route.switched_change'),
            ('ead1a844916c888af0d871774fd24fac', 'column', 'iucore.route.title'),
            ('426eff9941b508ccf95624a5b088e1a2', 'column', 'iucore.route_switch.change_id'),
            ('bddc5a03f36824c005e8ba4b3a049575', 'column', 'iucore.route_switch.execution_enabled'),
            ('7302e5f40f5dede05929bce1e15c15dd', 'column', 'iucore.route_switch.route'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_event.actor'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_event.aggregateid'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_event.aggregatetype'),
            ('034682ad1f31ac2f9d957da7722bef7b', 'column', 'iucore.v_event.change_id'),
            ('ec5e5d72ba32d4e30e7c8c4bca189a51', 'column', 'iucore.v_event.claimed_actor'),
            ('07da69c2e229db7df6efe13d3cb7ae95', 'column', 'iucore.v_event.created_at'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_event.delivery_lane'),
            ('9baa0b29c05773f323d6c50d6066f4b7', 'column', 'iucore.v_event.event_id'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_event.event_type'),
            ('a8e162aee2da3d1d741b10665dd60bc9', 'column', 'iucore.v_event.payload'),
            ('0e9b841851659fccef4a5e9cba172ab6', 'column', 'iucore.v_event.subject'),
            ('5d4aeb06325f40a8cdfc90beae2573e6', 'constraint', 'iucore.event_outbox.ck_event_outbox_lane'),
            ('790538e4531a058bc2215628922ed842', 'constraint', 'iucore.event_outbox.pk_event_outbox'),
            ('4fcd3fc5c966cd073ccb6b9d7b8fa01b', 'constraint', 'iucore.event_type.ck_event_type_delta'),
            ('5d4aeb06325f40a8cdfc90beae2573e6', 'constraint', 'iucore.event_type.ck_event_type_lane'),
            ('b6e9cabe2e4e2e5bc64bf6829023a111', 'constraint', 'iucore.event_type.ck_event_type_name'),
            ('b7e03c32ec414ab33b7d0b9fb473f80e', 'constraint', 'iucore.event_type.fk_event_type_change'),
            ('c8eb52598bd405e0b7983a0dc761ad1a', 'constraint', 'iucore.event_type.pk_event_type'),
            ('b523c5f97e0478824086129ffbf8ed02', 'constraint', 'iucore.event_type.uq_event_type_lane'),
            ('ae13b15d54f571bb8aa628542f0b4379', 'constraint', 'iucore.route.ck_route_name'),
            ('b7e03c32ec414ab33b7d0b9fb473f80e', 'constraint', 'iucore.route.fk_route_change'),
            ('b5b5c4d8a18b9f40f74e02ddc6d1bf9e', 'constraint', 'iucore.route.fk_route_switched'),
            ('aada1742330b0398d4cc1cd45c10353c', 'constraint', 'iucore.route.fk_route_type'),
            ('2f45a075710bf5c5c65fcfbe120774df', 'constraint', 'iucore.route.pk_route'),
            ('b7e03c32ec414ab33b7d0b9fb473f80e', 'constraint', 'iucore.route_switch.fk_route_switch_change'),
            ('106f6a775e064390626289636c393944', 'constraint', 'iucore.route_switch.fk_route_switch_route'),
            ('5d461873dce1f363c38302c746dfb58d', 'constraint', 'iucore.route_switch.pk_route_switch'),
            ('d12e424d80c01ee4b1466110ac69a75f', 'function', 'iucore.fn_iu_event_list(text, text, bigint, uuid, bigint)'),
            ('8a40f9cb71f4dd8dd8cc6fa89d5e5f3c', 'function', 'iucore.fn_iu_event_put(text, text, bigint, text[], text[], jsonb[])'),
            ('35d24ba2e7b3f030073c553186ef6520', 'function', 'iucore.fn_iu_event_type_list()'),
            ('4b2711caab9e2cfaf493561ac4e7e10e', 'function', 'iucore.fn_iu_event_type_register(text, text, text, boolean, text, text, text)'),
            ('31eafb1b7feb2261f1233b06e6a54e58', 'function', 'iucore.fn_iu_is_reserved(text)'),
            ('5554498a5b908f213d253a6c051b5474', 'function', 'iucore.fn_iu_refuse_rewrite()'),
            ('852d82446a3f6a9aa11c4bffbdebf743', 'function', 'iucore.fn_iu_registry_check()'),
            ('cfb6d182118005abb8f67be6ab43de13', 'function', 'iucore.fn_iu_route_list()'),
            ('4922ad1adbb1a8debba24dcd567b6493', 'function', 'iucore.fn_iu_route_register(text, text, text, text, text, text)'),
            ('38be6dd8a2affdd1c055ee158eb4a92d', 'function', 'iucore.fn_iu_route_set(text, boolean, text, text, text)'),
            ('a28b1b375ada223dbeabc47f2a7c0b77', 'index', 'iucore.idx_event_outbox_change'),
            ('9708e2d72cc4cf9865c2b05a3fddfa3b', 'index', 'iucore.idx_event_outbox_idempotent'),
            ('b66494990b34dc310f5ed08bd415e4e3', 'index', 'iucore.idx_event_outbox_subject'),
            ('023bbe88997389a315b65429812c7323', 'index', 'iucore.idx_event_outbox_window'),
            ('cd4370782a1f1d5b4123056b06af3933', 'index', 'iucore.idx_route_type'),
            ('69aee68d7303e1ab28463ecba98f153c', 'index', 'iucore.pk_event_outbox'),
            ('8df5888627a03ab738bf0befec0195d5', 'index', 'iucore.pk_event_type'),
            ('6ad3fc2535708025ebeb66f01c19b423', 'index', 'iucore.pk_route'),
            ('e7d1968b85891698689496a562fbf452', 'index', 'iucore.pk_route_switch'),
            ('e7cd8b75001c1c02be763cb022635cd7', 'index', 'iucore.uq_event_type_lane'),
            ('7c3fe41af7df12084a389edc40914c77', 'table', 'iucore.event_outbox'),
            ('5d0eb0585c186993485297d1e800f881', 'table', 'iucore.event_type'),
            ('7fe461e1b578db6d4a6973270624b4fa', 'table', 'iucore.route'),
            ('714589281d80f97794824d8da1a3a74d', 'table', 'iucore.route_switch'),
            ('1a8d2d41cc1d7ff07972b7db9a5164bb', 'trigger', 'iucore.event_outbox.trg_event_outbox_append_only'),
            ('ae73d8d55ad4cf098696731dbc9ddc72', 'view', 'iucore.v_event')
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
            message = 'objects of revision 0007 are missing or altered',
            detail = v_differ,
            hint = 'Compare the whole database with: iucore inventory verify';
    end if;
end
$iu_verify_0007$;
