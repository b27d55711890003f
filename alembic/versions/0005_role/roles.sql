-- The roles of iucore. Roles belong to the cluster, not to the database: they are made when missing and never
-- dropped, since another database may use them. Where CREATE ROLE is not allowed, a DBA runs this file beforehand, in any
-- database encoded in UTF8, and grants iucore_owner to the migrating role.
do $$
declare
    v_roles constant text[] := array['iucore_owner', 'iucore_reader', 'iucore_author', 'iucore_operator',
        'iucore_gatekeeper', 'iucore_worker', 'iucore_auditor'];
    v_memberships constant text[] := array['iucore_reader to iucore_author', 'iucore_author to iucore_operator',
        'iucore_reader to iucore_gatekeeper', 'iucore_reader to iucore_auditor'];
    v_statement text;
begin
    if current_setting('server_encoding') <> 'UTF8' then
        raise exception using errcode = 'IU901', message = 'database encoding is not UTF8',
            detail = format('database: %s, encoding: %s', current_database(), current_setting('server_encoding')),
            hint = 'Create the database with: create database NAME encoding ''UTF8'' template template0;';
    end if;
    for v_statement in
        select format('create role %I nologin', w.role)
        from unnest(v_roles) with ordinality as w (role, nth)
        where not exists (select from pg_catalog.pg_roles as r where r.rolname = w.role)
        order by w.nth
    loop
        begin
            execute v_statement;
        exception
            when duplicate_object or unique_violation then
                null; -- another database of this cluster is being upgraded at the same time
            when insufficient_privilege then
                raise exception using errcode = 'IU902', message = 'a role is missing and may not be created',
                    detail = format('role that migrates: %s, refused: %s', current_user, v_statement),
                    hint = 'Ask a DBA to run sql/grants/roles.sql, or: '
                        || (
                            select string_agg(s.statement, ' ' order by s.kind, s.nth)
                            from (
                                select 1 as kind, w.nth, format('create role %I nologin;', w.role) as statement
                                from unnest(v_roles) with ordinality as w (role, nth)
                                where not exists (select from pg_catalog.pg_roles as r where r.rolname = w.role)
                                union all
                                select 2, m.nth, format('grant %s;', m.membership)
                                from unnest(v_memberships) with ordinality as m (membership, nth)
                            ) as s
                        );
        end;
    end loop;
    -- Ownership can be given only to a role that one may become and whose rights one has. From 16 on the creator of a
    -- role is a member without either.
    if not pg_catalog.pg_has_role(current_user, 'iucore_owner', 'usage')
        or not pg_catalog.pg_has_role(current_user, 'iucore_owner',
            case when current_setting('server_version_num')::integer >= 160000 then 'set' else 'member' end)
    then
        v_statement := format('grant iucore_owner to %I', current_user)
            || case when current_setting('server_version_num')::integer >= 160000 then ' with inherit true, set true' else '' end;
        begin
            execute v_statement;
        exception
            when unique_violation then
                null; -- another database of this cluster grants the same at the same time
            when insufficient_privilege then
                raise exception using errcode = 'IU902', message = 'migrating role is not a member of iucore_owner',
                    detail = format('role: %s', current_user),
                    hint = format('Ask a DBA to run: %s;', v_statement);
        end;
    end if;
    for v_statement in
        select 'grant ' || m.membership
        from unnest(v_memberships) with ordinality as m (membership, nth)
        where not pg_catalog.pg_has_role(split_part(m.membership, ' to ', 2), split_part(m.membership, ' to ', 1), 'member')
        order by m.nth
    loop
        begin
            execute v_statement;
        exception
            when unique_violation then
                null; -- another database of this cluster grants the same at the same time
            when insufficient_privilege then
                raise exception using errcode = 'IU902', message = 'a role lacks a membership that may not be granted',
                    detail = format('role that migrates: %s, refused: %s', current_user, v_statement),
                    hint = format('Ask a DBA to run sql/grants/roles.sql, or: %s;', v_statement);
        end;
    end loop;
end
$$;
