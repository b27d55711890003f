create or replace function iucore.fn_iu_create(
    p_address text,
    p_kind text,
    p_title text,
    p_body text,
    p_reason text,
    p_attributes jsonb default '{}',
    p_actor text default null,
    p_request_key text default null
)
returns table (
    unit_id uuid,
    address text,
    kind text,
    version bigint,
    title text,
    lifecycle text,
    content_sha256 text,
    byte_length bigint,
    change_id bigint,
    changed boolean
)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- The birth gate: the only door, with fn_iu_create_many and fn_iu_clone, through which a piece comes to be.
-- Locks: nothing that exists; waits for a session that is creating the same address, body or request key.
-- Raises: IU005, IU010, IU011, IU014, IU015, IU016, IU017, IU032, IU100, IU201, IU203.
declare
    v_change record;
    v_sha256 bytea;
begin
    perform iucore.fn_iu_assert_address(p_address);
    perform iucore.fn_iu_assert_kind(p_kind);
    perform iucore.fn_iu_assert_title(p_title);
    perform iucore.fn_iu_assert_attributes(p_attributes);
    perform iucore.fn_iu_assert_body(p_body);
    select o.* into v_change
    from iucore.fn_iu_change_open('create', p_address, p_reason, p_actor, p_request_key,
        case when p_request_key is not null
            then jsonb_build_array(p_address, p_kind, p_title, p_body, p_attributes) end) as o;
    if v_change.replayed is not null then
        return query select r.* from iucore.fn_iu_piece_row((v_change.replayed ->> 'unit_id')::uuid, 1, true) as r;
        return;
    end if;
    v_sha256 := iucore.fn_iu_content_put(p_body);

    insert into iucore.information_unit (unit_id, address, kind, head_version, head_sha256, change_id)
    values (iucore.fn_iu_uuid7(), p_address, p_kind, 1, v_sha256, v_change.change_id)
    on conflict on constraint uq_information_unit_address do nothing
    returning information_unit.unit_id into unit_id;
    if unit_id is null then
        perform iucore.fn_iu_refuse_address(p_address);
    end if;
    insert into iucore.unit_version (unit_id, version, content_sha256, title, lifecycle, attributes, change_id)
    values (unit_id, 1, v_sha256, p_title, 'active', p_attributes, v_change.change_id);
    perform iucore.fn_iu_event_put('unit', 'created', v_change.change_id, array[unit_id::text], array[p_address],
        array[jsonb_build_object('kind', p_kind, 'version', 1, 'sha256', encode(v_sha256, 'hex'))]);
    perform iucore.fn_iu_change_close(v_change.change_id, p_request_key, jsonb_build_object('unit_id', unit_id));

    address := p_address;
    kind := p_kind;
    version := 1::bigint;
    title := p_title;
    lifecycle := 'active';
    content_sha256 := encode(v_sha256, 'hex');
    byte_length := octet_length(p_body)::bigint;
    change_id := v_change.change_id;
    changed := true;
    return next;
end
$$;

alter function iucore.fn_iu_create owner to iucore_owner;
comment on function iucore.fn_iu_create is 'The birth gate: a new piece with its first version.';
revoke execute on function iucore.fn_iu_create from public;
grant execute on function iucore.fn_iu_create to iucore_author;
