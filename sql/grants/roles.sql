-- The roles of iucore. Roles belong to the cluster, not to the database: they are made when missing and never
-- dropped, since another database may use them. Where CREATE ROLE is not allowed, a DBA makes them beforehand.
do $$
declare
    v_role text;
    v_grant text;
begin
    if current_setting('server_encoding') <> 'UTF8' then
        raise exception using errcode = 'IU901', message = 'database encoding is not UTF8',
            detail = format('database: %s, encoding: %s', current_database(), current_setting('server_encoding')),
            hint = 'Create the database with: create database NAME encoding ''UTF8'' template template0;';
    end if;
    foreach v_role in array array['iucore_owner', 'iucore_reader', 'iucore_author', 'iucore_operator'] loop
        if not exists (select from pg_catalog.pg_roles r where r.rolname = v_role) then
            begin
                execute format('create role %I nologin', v_role);
            exception
                when duplicate_object or unique_violation then
                    null; -- another database of this cluster is being upgraded at the same time
                when insufficient_privilege then
                    raise exception using errcode = 'IU902', message = 'role missing',
                        detail = format('role: %s', v_role),
                        hint = format('Ask a DBA to run: create role %I nologin;', v_role);
            end;
        end if;
    end loop;
    -- Ownership can be given only to a role that one may become and whose rights one has. From 16 on the creator of a
    -- role is a member without either.
    if not pg_catalog.pg_has_role(current_user, 'iucore_owner', 'usage')
        or not pg_catalog.pg_has_role(current_user, 'iucore_owner',
            case when current_setting('server_version_num')::integer >= 160000 then 'set' else 'member' end)
    then
        v_grant := format('grant iucore_owner to %I', current_user)
            || case when current_setting('server_version_num')::integer >= 160000 then ' with inherit true, set true' else '' end;
        begin
            execute v_grant;
        exception
            when unique_violation then
                null; -- another database of this cluster grants the same at the same time
            when insufficient_privilege then
                raise exception using errcode = 'IU902', message = 'migrating role is not a member of iucore_owner',
                    detail = format('role: %s', current_user),
                    hint = format('Ask a DBA to run: %s;', v_grant);
        end;
    end if;
    foreach v_role in array array['iucore_reader to iucore_author', 'iucore_author to iucore_operator'] loop
        if not pg_catalog.pg_has_role(split_part(v_role, ' to ', 2), split_part(v_role, ' to ', 1), 'member') then
            begin
                execute 'grant ' || v_role;
            exception
                when unique_violation then
                    null; -- another database of this cluster grants the same at the same time
            end;
        end if;
    end loop;
end
$$;
