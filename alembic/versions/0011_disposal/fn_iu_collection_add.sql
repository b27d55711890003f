create or replace function iucore.fn_iu_collection_add(
    p_key text,
    p_member text,
    p_reason text,
    p_at text default 'last',
    p_anchor text default null,
    p_member_kind text default 'piece',
    p_version bigint default null,
    p_label text default null,
    p_transitions jsonb default null,
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
-- Puts a piece (floating, or pinned to p_version) or a collection at a place of a collection.
-- Locks: the row of the collection; nesting_guard when a collection is added.
-- Raises: IU001, IU002, IU003, IU004, IU016, IU017, IU019, IU020, IU022, IU027, IU028, IU100, IU101, IU203,
-- IU205, IU207, IU209.
declare
    v_open record;
    v_member iucore.collection_member;
begin
    if p_member_kind is null or p_member_kind not in ('piece', 'collection')
        or (p_member_kind = 'collection' and p_version is not null)
    then
        raise exception using errcode = 'IU019', message = 'member is neither a piece nor a collection',
            detail = format('member kind: %s', coalesce(quote_literal(left(p_member_kind, 40)), 'null')),
            hint = 'Use piece or collection; only a piece has a version.';
    end if;
    -- Before the number of the change is drawn: what a change places was there before it.
    if p_member_kind = 'collection' then
        v_member.child_id := iucore.fn_iu_collection_id(p_member);
    end if;
    select o.* into v_open
    from iucore.fn_iu_composer_open('collection_add', p_key, p_reason, p_actor, p_request_key,
        jsonb_build_array(p_key, p_member, p_at, p_anchor, p_member_kind, p_version, p_label, p_transitions),
        p_member_kind = 'collection') as o;
    if v_open.replayed is null then
        perform iucore.fn_iu_assert_step(v_open.kind, p_label, p_transitions);
        perform iucore.fn_iu_assert_label_free(v_open.collection_id, p_label, null);
        if p_member_kind = 'piece' then
            v_member.unit_id := iucore.fn_iu_unit_usable(p_member, p_version);
        else
            perform iucore.fn_iu_assert_nesting(v_open.collection_id, v_member.child_id);
        end if;
        v_member.collection_id := v_open.collection_id;
        v_member.rank := iucore.fn_iu_rank_at(v_open.collection_id, p_at, p_anchor, null, v_open.change_id);
        v_member.member_id := nextval('iucore.collection_member_id');
        v_member.pinned_version := p_version;
        v_member.label := p_label;
        v_member.transitions := p_transitions;
        perform iucore.fn_iu_member_put(v_member, v_open.change_id);
        perform iucore.fn_iu_composer_emit('piece_added', v_open.collection_id, p_key, v_open.change_id,
            jsonb_strip_nulls(jsonb_build_object('member', v_member.member_id, p_member_kind, p_member,
                'version', p_version, 'at', p_at, 'anchor', p_anchor)));
    end if;
    return query
    select r.* from iucore.fn_iu_composer_close(v_open.collection_id, p_key, v_open.change_id, p_request_key,
        v_open.replayed, v_member.member_id, p_member, p_version, true) as r;
end
$$;

alter function iucore.fn_iu_collection_add owner to iucore_owner;
comment on function iucore.fn_iu_collection_add is 'Put a piece or a collection at a place of a collection.';
revoke execute on function iucore.fn_iu_collection_add from public;
grant execute on function iucore.fn_iu_collection_add to iucore_author;
