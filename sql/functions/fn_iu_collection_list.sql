create or replace function iucore.fn_iu_collection_list(
    p_prefix text default '',
    p_after text default '',
    p_limit bigint default 1000
)
returns table (
    key text,
    kind text,
    title text,
    members bigint,
    created_change bigint,
    head_change bigint,
    changed_at timestamptz
)
language sql
stable
as $$
    -- Collections by key, from the first after p_after; give the last key of a page to get the next one.
    select c.key, c.kind, c.title, c.members, c.created_change, c.head_change, c.changed_at
    from iucore.v_collection as c
    where c.key > p_after and c.key >= p_prefix and c.key < p_prefix || chr(1114111)
    order by c.key
    limit p_limit
$$;

alter function iucore.fn_iu_collection_list owner to iucore_owner;
comment on function iucore.fn_iu_collection_list is 'Collections by key, page by page.';
revoke execute on function iucore.fn_iu_collection_list from public;
grant execute on function iucore.fn_iu_collection_list to iucore_reader;
