-- Read only. Raises IU904 unless each of the 1 objects that this revision made or replaced is as it was made.
-- Written by scripts/freeze from sql/inventory.sql; run it while the database is at revision 0023.
do $iu_verify_0023$
declare
    v_path constant text := pg_catalog.current_setting('search_path');
    v_differ text;
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    with wanted (fingerprint, kind, object) as (
        values
            ('7220bd0d2d220e7d68d448490cfade65', 'function', 'iucore.fn_iu_search(text, text, text, bigint, boolean, boolean)')
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
            message = 'objects of revision 0023 are missing or altered',
            detail = v_differ,
            hint = 'Compare the whole database with: iucore inventory verify';
    end if;
end
$iu_verify_0023$;
