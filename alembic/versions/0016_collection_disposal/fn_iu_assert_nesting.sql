create or replace function iucore.fn_iu_assert_nesting(p_parent_id uuid, p_child_id uuid)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- Internal; the caller holds the nesting lock. p_parent_id is null for a collection that is being created.
-- Both walks keep distinct (collection, level) pairs, so a nest that doubles at each level stays small.
-- Raises: IU027, IU028, IU212 (the child was soft-deleted while the lock was waited for).
declare
    v_limit constant bigint := iucore.fn_iu_limit('nesting_depth');
    v_below record;
    v_above integer := 1;
begin
    perform iucore.fn_iu_refuse_deleted_collection(c.key, c.deleted_change)
    from iucore.collection as c
    where c.collection_id = p_child_id and c.deleted_change is not null;
    with recursive below as (
        select p_child_id as id, 1 as level
        union
        select m.child_id, b.level + 1
        from below as b
        join iucore.collection_member as m on m.collection_id = b.id
        where m.child_id is not null and m.closed_change is null and b.level <= v_limit
    )
    select coalesce(bool_or(b.id = p_parent_id), false) as cycle, max(b.level) as depth into v_below from below as b;
    if v_below.cycle then
        raise exception using errcode = 'IU028', message = 'collection would contain itself',
            detail = (select format('%s in %s', c.key, p.key) from iucore.collection as c, iucore.collection as p
                where c.collection_id = p_child_id and p.collection_id = p_parent_id),
            hint = 'See where it stands with fn_iu_collection_where_used (iucore collection where-used).';
    end if;
    if p_parent_id is not null then
        with recursive above as (
            select p_parent_id as id, 1 as level
            union
            select m.collection_id, a.level + 1
            from above as a
            join iucore.collection_member as m on m.child_id = a.id
            where m.closed_change is null and a.level <= v_limit
        )
        select max(a.level) into v_above from above as a;
    end if;
    if v_above + v_below.depth > v_limit then
        raise exception using errcode = 'IU027', message = 'nesting too deep',
            detail = format('levels: %s, limit: %s', v_above + v_below.depth, v_limit),
            hint = 'Compose from the pieces of the inner collections instead.';
    end if;
end
$$;

alter function iucore.fn_iu_assert_nesting owner to iucore_owner;
comment on function iucore.fn_iu_assert_nesting is 'Refuse a nesting that is a cycle or too deep.';
revoke execute on function iucore.fn_iu_assert_nesting from public;
