create or replace function iucore.fn_iu_version_put(
    p_address text,
    p_expected_version bigint,
    p_body text,
    p_title text,
    p_lifecycle text,
    p_attributes jsonb,
    p_verb text,
    p_reason text,
    p_actor text,
    p_request_key text
)
returns table (unit_id uuid, version bigint, changed boolean)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- A new version of a piece; null means as it was. When nothing differs, only the call is recorded. Internal: what
-- fn_iu_edit and fn_iu_lifecycle_set share.
-- Locks: the row of the piece.
-- Raises: IU001, IU016, IU017, IU100, IU202, IU203, IU209.
declare
    v_unit record;
    v_head record;
    v_change record;
    v_sha256 bytea;
begin
    select u.unit_id, u.head_version, u.head_sha256, u.deleted_change into v_unit
    from iucore.information_unit as u
    where u.address = p_address
    for no key update;
    if not found then
        perform iucore.fn_iu_refuse_unknown_piece(p_address);
    end if;
    unit_id := v_unit.unit_id;

    select o.* into v_change
    from iucore.fn_iu_change_open(p_verb, p_address, p_reason, p_actor, p_request_key,
        case when p_request_key is not null
            then jsonb_build_array(p_address, p_expected_version, p_body, p_title, p_lifecycle, p_attributes) end) as o;
    if v_change.replayed is not null then
        version := (v_change.replayed ->> 'version')::bigint;
        changed := (v_change.replayed ->> 'changed')::boolean;
        return next;
        return;
    end if;

    if v_unit.deleted_change is not null then
        perform iucore.fn_iu_refuse_deleted_piece(p_address);
    end if;
    if p_expected_version is distinct from v_unit.head_version then
        raise exception using errcode = 'IU202', message = 'piece has moved on',
            detail = format('address: %s, expected version: %s, head: %s', p_address,
                coalesce(p_expected_version::text, 'none given'), v_unit.head_version),
            hint = 'Look at the head with fn_iu_show (iucore piece show), put your change on top of it, and give its version.';
    end if;
    select v.title, v.lifecycle, v.attributes into v_head
    from iucore.unit_version as v
    where v.unit_id = v_unit.unit_id and v.version = v_unit.head_version;
    v_sha256 := case when p_body is null then v_unit.head_sha256 else iucore.fn_iu_content_put(p_body) end;

    changed := (v_sha256, coalesce(p_title, v_head.title), coalesce(p_lifecycle, v_head.lifecycle),
            coalesce(p_attributes, v_head.attributes))
        is distinct from (v_unit.head_sha256, v_head.title, v_head.lifecycle, v_head.attributes);
    version := v_unit.head_version + changed::integer;
    if changed then
        insert into iucore.unit_version (unit_id, version, content_sha256, title, lifecycle, attributes, change_id)
        values (v_unit.unit_id, v_unit.head_version + 1, v_sha256, coalesce(p_title, v_head.title),
            coalesce(p_lifecycle, v_head.lifecycle), coalesce(p_attributes, v_head.attributes), v_change.change_id);
        update iucore.information_unit as u
        set head_version = v_unit.head_version + 1, head_sha256 = v_sha256
        where u.unit_id = v_unit.unit_id;
        perform iucore.fn_iu_event_put('unit',
            case when p_lifecycle is null then 'edited' when p_lifecycle = 'retired' then 'retired' else 'lifecycle_set' end,
            v_change.change_id, array[v_unit.unit_id::text], array[p_address],
            array[jsonb_build_object('version', version, 'sha256', encode(v_sha256, 'hex'),
                'lifecycle', coalesce(p_lifecycle, v_head.lifecycle))]);
    end if;
    perform iucore.fn_iu_change_close(v_change.change_id, p_request_key,
        jsonb_build_object('version', version, 'changed', changed));
    return next;
end
$$;

alter function iucore.fn_iu_version_put owner to iucore_owner;
comment on function iucore.fn_iu_version_put is 'Put a new version on top of the one that the caller saw.';
revoke execute on function iucore.fn_iu_version_put from public;
