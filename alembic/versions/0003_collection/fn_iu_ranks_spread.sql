create or replace function iucore.fn_iu_ranks_spread(p_collection_id uuid, p_change_id bigint)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- Gives all members of a collection new, short ranks in the same order; returns how many. Internal; the caller holds
-- the lock on the collection.
declare
    v_members bigint;
begin
    -- The window needs every closed row before the first new one is opened, so no two ranks are open at once.
    with closed as (
        update iucore.collection_member as m
        set closed_change = p_change_id
        where m.collection_id = p_collection_id and m.closed_change is null
        returning m.*
    )
    insert into iucore.collection_member
        (member_id, collection_id, rank, unit_id, child_id, pinned_version, label, transitions, opened_change)
    select c.member_id, c.collection_id,
        iucore.fn_iu_rank_encode(16 * (row_number() over (order by c.rank) - 1)),
        c.unit_id, c.child_id, c.pinned_version, c.label, c.transitions, p_change_id
    from closed as c;
    get diagnostics v_members = row_count;
    return v_members;
end
$$;

alter function iucore.fn_iu_ranks_spread owner to iucore_owner;
comment on function iucore.fn_iu_ranks_spread is 'New, short ranks for all members of a collection.';
revoke execute on function iucore.fn_iu_ranks_spread from public;
