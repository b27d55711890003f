create or replace function iucore.fn_iu_is_reserved(p_name text)
returns boolean
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    -- Whether iucore itself gives the names of this subject (the part before the dot), now or in a later revision: what is
    -- registered under one would stop the upgrade that brings it. Internal.
    select p_name ~ '^(unit|collection|kind|axis|gate|event_type|route|change|release|approval|delivery|document|iucore)[.]'
$$;

alter function iucore.fn_iu_is_reserved owner to iucore_owner;
comment on function iucore.fn_iu_is_reserved is 'Whether iucore itself gives the names of this subject.';
revoke execute on function iucore.fn_iu_is_reserved from public;
