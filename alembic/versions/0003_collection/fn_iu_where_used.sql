create or replace function iucore.fn_iu_where_used(p_address text)
returns table (
    key text,
    kind text,
    title text,
    member_id bigint,
    pinned_version bigint,
    depth integer
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- Every collection in which a piece stands now: directly (depth 1, with its membership), or inside a nested
-- collection (the nearest depth).
-- Raises: IU001.
declare
    v_unit_id uuid := iucore.fn_iu_unit_id(p_address);
begin
    return query
    select w.key, w.kind, w.title, w.member_id, w.pinned_version, w.depth
    from iucore.fn_iu_standing_in(v_unit_id, null) as w;
end
$$;

alter function iucore.fn_iu_where_used owner to iucore_owner;
comment on function iucore.fn_iu_where_used is 'Every collection in which a piece stands.';
revoke execute on function iucore.fn_iu_where_used from public;
grant execute on function iucore.fn_iu_where_used to iucore_reader;
