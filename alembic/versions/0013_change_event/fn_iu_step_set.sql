create or replace function iucore.fn_iu_step_set(
    p_key text,
    p_member text,
    p_reason text,
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
-- Sets label and transitions of a step as given; null for none.
-- Locks: the row of the collection.
-- Raises: IU003, IU004, IU016, IU017, IU022, IU100, IU101, IU203, IU205, IU207.
declare
    v_open record;
    v_member iucore.collection_member;
    v_changed boolean := true;
    v_address text;
begin
    select o.* into v_open
    from iucore.fn_iu_composer_open('step_set', p_key, p_reason, p_actor, p_request_key,
        jsonb_build_array(p_key, p_member, p_label, p_transitions)) as o;
    if v_open.replayed is null then
        if v_open.kind <> 'workflow' then
            raise exception using errcode = 'IU022', message = 'step invalid',
                detail = 'only a workflow has labels and transitions',
                hint = 'Create a collection of kind workflow.';
        end if;
        perform iucore.fn_iu_assert_step(v_open.kind, p_label, p_transitions);
        v_member := iucore.fn_iu_member_find(v_open.collection_id, p_member);
        perform iucore.fn_iu_assert_label_free(v_open.collection_id, p_label, v_member.member_id);
        v_changed := (v_member.label, v_member.transitions) is distinct from (p_label, p_transitions);
        if v_changed then
            v_member.label := p_label;
            v_member.transitions := p_transitions;
            perform iucore.fn_iu_member_put(v_member, v_open.change_id);
        end if;
        v_address := iucore.fn_iu_member_address(v_member);
        if v_changed then
            perform iucore.fn_iu_composer_emit('step_set', v_open.collection_id, p_key, v_open.change_id,
                jsonb_strip_nulls(jsonb_build_object('member', v_member.member_id, 'label', p_label,
                    'transitions', p_transitions)));
        end if;
    end if;
    return query
    select r.* from iucore.fn_iu_composer_close(v_open.collection_id, p_key, v_open.change_id, p_request_key,
        v_open.replayed, v_member.member_id, v_address, v_member.pinned_version, v_changed) as r;
end
$$;

alter function iucore.fn_iu_step_set owner to iucore_owner;
comment on function iucore.fn_iu_step_set is 'Name a step of a workflow and say where it leads.';
revoke execute on function iucore.fn_iu_step_set from public;
grant execute on function iucore.fn_iu_step_set to iucore_author;
