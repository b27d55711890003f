create or replace function iucore.fn_iu_clone(
    p_source text,
    p_address text,
    p_reason text,
    p_version bigint default null,
    p_title text default null,
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
-- A new piece with the content of another (its head, or p_version) and its provenance. The body is not copied: both
-- versions name the same content.
-- Locks: nothing that exists; waits for a session that is creating the same address or request key.
-- Raises: IU001, IU002, IU010, IU011, IU016, IU017, IU100, IU201, IU203, IU209.
declare
    v_change record;
    v_source record;
begin
    perform iucore.fn_iu_assert_address(p_address);
    if p_title is not null then
        perform iucore.fn_iu_assert_title(p_title);
    end if;
    select s.unit_id, s.kind, s.version, s.title, s.attributes, s.content_sha256 into v_source
    from iucore.fn_iu_show(p_source, p_version) as s;
    select o.* into v_change
    from iucore.fn_iu_change_open('clone', p_address, p_reason, p_actor, p_request_key,
        case when p_request_key is not null
            then jsonb_build_array(p_source, p_address, p_version, p_title) end) as o;
    if v_change.replayed is null then
        if exists (
            select from iucore.information_unit as u
            where u.unit_id = v_source.unit_id and u.deleted_change is not null
        ) then
            perform iucore.fn_iu_refuse_deleted_piece(p_source);
        end if;
        insert into iucore.information_unit
            (unit_id, address, kind, head_version, head_sha256, source_unit_id, source_version, change_id)
        select iucore.fn_iu_uuid7(), p_address, v_source.kind, 1, v.content_sha256, v.unit_id, v.version,
            v_change.change_id
        from iucore.unit_version as v
        where v.unit_id = v_source.unit_id and v.version = v_source.version
        on conflict on constraint uq_information_unit_address do nothing
        returning information_unit.unit_id into unit_id;
        if unit_id is null then
            perform iucore.fn_iu_refuse_address(p_address);
        end if;
        insert into iucore.unit_version (unit_id, version, content_sha256, title, lifecycle, attributes, change_id)
        select u.unit_id, 1, u.head_sha256, coalesce(p_title, v_source.title), 'active', v_source.attributes,
            v_change.change_id
        from iucore.information_unit as u
        where u.unit_id = fn_iu_clone.unit_id;
        perform iucore.fn_iu_event_put('unit', 'cloned', v_change.change_id, array[unit_id::text], array[p_address],
            array[jsonb_build_object('kind', v_source.kind, 'version', 1, 'sha256', v_source.content_sha256,
                'source', p_source, 'source_version', v_source.version)]);
        perform iucore.fn_iu_change_close(v_change.change_id, p_request_key, jsonb_build_object('unit_id', unit_id));
    else
        unit_id := (v_change.replayed ->> 'unit_id')::uuid;
    end if;
    return query select r.* from iucore.fn_iu_piece_row(unit_id, 1, true) as r;
end
$$;

alter function iucore.fn_iu_clone owner to iucore_owner;
comment on function iucore.fn_iu_clone is 'A new piece with the content of another, without copying it.';
revoke execute on function iucore.fn_iu_clone from public;
grant execute on function iucore.fn_iu_clone to iucore_author;
