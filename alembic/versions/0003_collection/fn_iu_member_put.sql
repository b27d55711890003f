create or replace function iucore.fn_iu_member_put(p_member iucore.collection_member, p_change_id bigint)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- The next state of a membership: the open row, if there is one, is closed, and the given one is opened. Internal;
-- the caller holds the lock on the collection.
begin
    update iucore.collection_member as m
    set closed_change = p_change_id
    where m.member_id = p_member.member_id and m.closed_change is null;
    insert into iucore.collection_member
        (member_id, collection_id, rank, unit_id, child_id, pinned_version, label, transitions, opened_change)
    values (p_member.member_id, p_member.collection_id, p_member.rank, p_member.unit_id, p_member.child_id,
        p_member.pinned_version, p_member.label, p_member.transitions, p_change_id);
end
$$;

alter function iucore.fn_iu_member_put owner to iucore_owner;
comment on function iucore.fn_iu_member_put is 'Close the open row of a membership and open its next state.';
revoke execute on function iucore.fn_iu_member_put from public;
