create or replace function iucore.fn_iu_collection_rebalance(
    p_key text,
    p_reason text,
    p_actor text default null,
    p_request_key text default null
)
returns table (
    collection_id uuid,
    key text,
    member_id bigint,
    address text,
    pinned_version bigint,
    change_id bigint,
    changed boolean
)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Gives all members new, short ranks in the same order. Never needed for correctness: adding and moving do it by
-- themselves where a place has become too crowded.
-- Locks: the row of the collection. Writes a row for each member.
-- Raises: IU003, IU016, IU017, IU100, IU101, IU203.
declare
    v_open record;
    v_changed boolean;
begin
    select o.* into v_open
    from iucore.fn_iu_composer_open('collection_rebalance', p_key, p_reason, p_actor, p_request_key,
        jsonb_build_array(p_key)) as o;
    if v_open.replayed is null then
        v_changed := iucore.fn_iu_ranks_spread(v_open.collection_id, v_open.change_id) > 0;
        if v_changed then
            perform iucore.fn_iu_composer_emit('rebalanced', v_open.collection_id, p_key, v_open.change_id, '{}'::jsonb);
        end if;
    end if;
    return query
    select r.* from iucore.fn_iu_composer_close(v_open.collection_id, p_key, v_open.change_id, p_request_key,
        v_open.replayed, null, null, null, v_changed) as r;
end
$$;

alter function iucore.fn_iu_collection_rebalance owner to iucore_owner;
comment on function iucore.fn_iu_collection_rebalance is 'New, short ranks for all members of a collection.';
revoke execute on function iucore.fn_iu_collection_rebalance from public;
grant execute on function iucore.fn_iu_collection_rebalance to iucore_author;
