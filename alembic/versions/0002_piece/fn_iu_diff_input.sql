create or replace function iucore.fn_iu_diff_input(
    p_address text,
    p_from_version bigint default null,
    p_to_version bigint default null
)
returns table (
    address text,
    from_version bigint,
    from_title text,
    from_body text,
    to_version bigint,
    to_title text,
    to_body text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- Two versions side by side, for a diff made by the client. Without numbers: the head and the one before it (version
-- 1 stands against itself).
-- Raises: IU001, IU002.
begin
    return query
    select t.address, f.version, f.title, f.body, t.version, t.title, t.body
    from iucore.fn_iu_show(p_address, p_to_version) as t
    cross join lateral iucore.fn_iu_show(p_address, coalesce(p_from_version, greatest(t.version - 1, 1))) as f;
end
$$;

alter function iucore.fn_iu_diff_input owner to iucore_owner;
comment on function iucore.fn_iu_diff_input is 'Two versions of a piece side by side.';
revoke execute on function iucore.fn_iu_diff_input from public;
grant execute on function iucore.fn_iu_diff_input to iucore_reader;
