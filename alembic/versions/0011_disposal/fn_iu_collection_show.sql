create or replace function iucore.fn_iu_collection_show(p_key text)
returns table (
    collection_id uuid,
    key text,
    kind text,
    title text,
    members bigint,
    pieces numeric,
    bytes numeric,
    depth integer,
    created_change bigint,
    head_change bigint,
    changed_at timestamptz
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- One collection with its size through all nesting.
-- Raises: IU003.
declare
    v_collection_id uuid := iucore.fn_iu_collection_id(p_key);
begin
    return query
    select c.collection_id, c.key, c.kind, c.title,
        (select count(*) from iucore.fn_iu_members_at(c.collection_id, null)),
        s.pieces, s.bytes, s.depth, c.change_id, c.head_change, g.changed_at
    from iucore.collection as c
    join iucore.change as g on g.change_id = c.head_change
    cross join lateral iucore.fn_iu_collection_measure(c.collection_id, null) as s
    where c.collection_id = v_collection_id;
end
$$;

alter function iucore.fn_iu_collection_show owner to iucore_owner;
comment on function iucore.fn_iu_collection_show is 'One collection with its size.';
revoke execute on function iucore.fn_iu_collection_show from public;
grant execute on function iucore.fn_iu_collection_show to iucore_reader;
