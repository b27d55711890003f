create or replace function iucore.fn_iu_member_find(p_collection_id uuid, p_member text)
returns iucore.collection_member
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- The open membership that a caller means: "@" and its number, or the address (or key) of what stands there, when it
-- stands there once. Internal.
-- Raises: IU004, IU205.
declare
    v_found iucore.collection_member[];
begin
    if p_member ~ '^@[0-9]{1,18}$' then
        v_found := array(
            select m from iucore.collection_member as m
            where m.collection_id = p_collection_id and m.member_id = substr(p_member, 2)::bigint
                and m.closed_change is null);
    else
        v_found := array(
            select m from iucore.collection_member as m
            join iucore.information_unit as u on u.unit_id = m.unit_id
            where m.collection_id = p_collection_id and u.address = p_member and m.closed_change is null
            union all
            select m from iucore.collection_member as m
            join iucore.collection as c on c.collection_id = m.child_id
            where m.collection_id = p_collection_id and c.key = p_member and m.closed_change is null);
    end if;
    if cardinality(v_found) = 0 then
        raise exception using errcode = 'IU004', message = 'member not found',
            detail = format('member: %s', coalesce(quote_literal(left(p_member, 120)), 'null')),
            hint = 'List the members with fn_iu_collection_members (iucore collection show).';
    elsif cardinality(v_found) > 1 then
        raise exception using errcode = 'IU205', message = 'member ambiguous',
            detail = format('%s stands %s times: %s', p_member, cardinality(v_found),
                (select string_agg('@' || m.member_id, ', ' order by m.rank) from unnest(v_found) as m)),
            hint = 'Name the member by its number, for example @12.';
    end if;
    return v_found[1];
end
$$;

alter function iucore.fn_iu_member_find owner to iucore_owner;
comment on function iucore.fn_iu_member_find is 'The open membership that a caller means.';
revoke execute on function iucore.fn_iu_member_find from public;
