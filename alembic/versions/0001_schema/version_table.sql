-- Who may read may also ask which revision the database is at. A database built from sql/ alone has no such table.
do $$
begin
    if pg_catalog.to_regclass('public.iucore_alembic_version') is not null then
        grant select on table public.iucore_alembic_version to iucore_reader;
    end if;
end
$$;
