create or replace function iucore.fn_iu_composer_close(
    p_collection_id uuid,
    p_key text,
    p_change_id bigint,
    p_request_key text,
    p_replayed jsonb,
    p_member_id bigint,
    p_address text,
    p_pinned_version bigint,
    p_changed boolean
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
volatile
set search_path = pg_catalog, pg_temp
as $$
-- What every composer verb does last: move the head of the collection, keep the result, return it. Internal.
declare
    v_result jsonb := coalesce(p_replayed, jsonb_build_object('member_id', p_member_id, 'address', p_address,
        'pinned_version', p_pinned_version, 'changed', p_changed));
begin
    if p_replayed is null then
        if p_changed then
            update iucore.collection as c set head_change = p_change_id where c.collection_id = p_collection_id;
        end if;
        perform iucore.fn_iu_change_close(p_change_id, p_request_key, v_result);
    end if;
    collection_id := p_collection_id;
    key := p_key;
    member_id := (v_result ->> 'member_id')::bigint;
    address := v_result ->> 'address';
    pinned_version := (v_result ->> 'pinned_version')::bigint;
    change_id := p_change_id;
    changed := (v_result ->> 'changed')::boolean;
    return next;
end
$$;

alter function iucore.fn_iu_composer_close owner to iucore_owner;
comment on function iucore.fn_iu_composer_close is 'Move the head of the collection and return the result of the composer call.';
revoke execute on function iucore.fn_iu_composer_close from public;
