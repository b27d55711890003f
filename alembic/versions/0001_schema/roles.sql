-- The roles of iucore. Roles belong to the cluster, not to the database: they are made when missing and never
-- dropped, since another database may use them. Where CREATE ROLE is not allowed, a DBA makes them beforehand.
do $$
declare
    v_role text;
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
    -- Ownership can be given only to a role that one may become.
    if not pg_catalog.pg_has_role(current_user, 'iucore_owner', 'member') then
        begin
            execute format('grant iucore_owner to %I', current_user);
        exception
            when insufficient_privilege then
                raise exception using errcode = 'IU902', message = 'migrating role is not a member of iucore_owner',
                    detail = format('role: %s', current_user),
                    hint = format('Ask a DBA to run: grant iucore_owner to %I;', current_user);
        end;
    end if;
    -- Granting the same membership twice at once fails with "tuple concurrently updated": so only what is missing.
    if not pg_catalog.pg_has_role('iucore_author', 'iucore_reader', 'member') then
        grant iucore_reader to iucore_author;
    end if;
    if not pg_catalog.pg_has_role('iucore_operator', 'iucore_author', 'member') then
        grant iucore_author to iucore_operator;
    end if;
end
$$;
