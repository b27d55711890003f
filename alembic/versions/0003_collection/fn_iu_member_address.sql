create or replace function iucore.fn_iu_member_address(p_member iucore.collection_member)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    -- Internal.
    select u.address from iucore.information_unit as u where u.unit_id = p_member.unit_id
    union all
    select c.key from iucore.collection as c where c.collection_id = p_member.child_id
$$;

alter function iucore.fn_iu_member_address owner to iucore_owner;
comment on function iucore.fn_iu_member_address is 'Address or key of what stands at a membership.';
revoke execute on function iucore.fn_iu_member_address from public;
