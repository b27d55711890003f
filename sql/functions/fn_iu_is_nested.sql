create or replace function iucore.fn_iu_is_nested(p_key text, p_member text)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    -- Whether the member that a caller means is a collection. Asked before the lock: a member never becomes one. Internal.
    select exists (
            select from iucore.collection as p
            join iucore.collection as c on c.key = p_member
            join iucore.collection_member as m
                on m.collection_id = p.collection_id and m.child_id = c.collection_id and m.closed_change is null
            where p.key = p_key
        )
        or exists (
            select from iucore.collection_member as m
            where m.member_id = case when p_member ~ '^@[0-9]{1,18}$' then substr(p_member, 2)::bigint end
                and m.closed_change is null and m.child_id is not null
        )
$$;

alter function iucore.fn_iu_is_nested owner to iucore_owner;
comment on function iucore.fn_iu_is_nested is 'Whether a member is a collection.';
revoke execute on function iucore.fn_iu_is_nested from public;
