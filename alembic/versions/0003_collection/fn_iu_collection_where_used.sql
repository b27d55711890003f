create or replace function iucore.fn_iu_collection_where_used(p_key text)
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
-- Every collection in which a collection stands now, as fn_iu_where_used for a piece.
-- Raises: IU003.
declare
    v_collection_id uuid := iucore.fn_iu_collection_id(p_key);
begin
    return query
    select w.key, w.kind, w.title, w.member_id, w.pinned_version, w.depth
    from iucore.fn_iu_standing_in(null, v_collection_id) as w;
end
$$;

alter function iucore.fn_iu_collection_where_used owner to iucore_owner;
comment on function iucore.fn_iu_collection_where_used is 'Every collection in which a collection stands.';
revoke execute on function iucore.fn_iu_collection_where_used from public;
grant execute on function iucore.fn_iu_collection_where_used to iucore_reader;
