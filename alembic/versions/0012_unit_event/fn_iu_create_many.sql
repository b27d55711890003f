create or replace function iucore.fn_iu_create_many(
    p_pieces json,
    p_reason text,
    p_actor text default null,
    p_request_key text default null
)
returns table (
    ordinal bigint,
    unit_id uuid,
    address text,
    version bigint,
    content_sha256 text,
    change_id bigint
)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
set work_mem = '64MB'
as $$
-- The birth gate for many: a JSON array of {"address", "kind", "title", "body", "attributes"?}, all or nothing.
-- One statement checks every piece and inserts only when none has a fault, so a refusal writes no row.
-- Locks: nothing that exists; waits for sessions that are creating the same address or body. Bodies and addresses
-- are inserted in sorted order, so that two calls that share some cannot deadlock.
-- Raises: IU012, IU013, IU016, IU017, IU019, IU100, IU203; what fn_iu_create raises, naming the piece by its ordinal.
declare
    v_change record;
    v_detail text;
begin
    if p_pieces is null or json_typeof(p_pieces) <> 'array' then
        raise exception using errcode = 'IU019', message = 'pieces are not an array',
            detail = format('type: %s', coalesce(json_typeof(p_pieces), 'null')),
            hint = 'Give a JSON array of {"address", "kind", "title", "body", "attributes"?}.';
    end if;
    select o.* into v_change
    from iucore.fn_iu_change_open('create_many', null, p_reason, p_actor, p_request_key,
        case when p_request_key is not null
            then jsonb_build_array(encode(sha256(convert_to(p_pieces::text, 'UTF8')), 'hex')) end) as o;
    if v_change.replayed is not null then
        return query
        select row_number() over (order by p.ordinality), u.unit_id, u.address, v.version,
            encode(v.content_sha256, 'hex'), v.change_id
        from rows from (json_to_recordset(p_pieces) as (address text)) with ordinality as p
        join iucore.information_unit as u on u.address = p.address
        join iucore.unit_version as v on v.unit_id = u.unit_id and v.version = 1;
        return;
    end if;

    return query
    with input as materialized (
        select p.ordinality, p.address, p.kind, p.title, p.body, coalesce(p.attributes, '{}') as attributes,
            iucore.fn_iu_uuid7() as unit_id, sha256(convert_to(p.body, 'UTF8')) as sha256,
            iucore.fn_iu_is_address(p.address) and k.kind is not null and iucore.fn_iu_is_name(p.title, 300)
                and iucore.fn_iu_is_attributes(coalesce(p.attributes, '{}'))
                and p.body is not null and octet_length(p.body) <= iucore.fn_iu_limit('body_bytes') as sound
        from rows from (json_to_recordset(p_pieces)
            as (address text, kind text, title text, body text, attributes jsonb)) with ordinality as p
        left join iucore.unit_kind as k on k.kind = p.kind
    ),
    fault as materialized (
        select from input as i where not i.sound limit 1
    ),
    content as (
        insert into iucore.unit_content (content_sha256, byte_length, body)
        select i.sha256, octet_length(i.body), i.body
        from input as i
        where not exists (select from fault)
        order by i.sha256
        on conflict on constraint pk_unit_content do nothing
        returning 1
    ),
    born as (
        insert into iucore.information_unit (unit_id, address, kind, head_version, head_sha256, change_id)
        select i.unit_id, i.address, i.kind, 1, i.sha256, v_change.change_id
        from input as i
        -- The count makes the contents go first, as in fn_iu_create: two orders would deadlock.
        where not exists (select from fault) and (select count(*) from content) >= 0
        order by i.address collate "C"
        on conflict on constraint uq_information_unit_address do nothing
        returning information_unit.unit_id
    ),
    versions as (
        insert into iucore.unit_version (unit_id, version, content_sha256, title, lifecycle, attributes, change_id)
        select i.unit_id, 1, i.sha256, i.title, 'active', i.attributes, v_change.change_id
        from input as i
        join born as b on b.unit_id = i.unit_id
    ),
    emitted as materialized (
        select iucore.fn_iu_event_put('unit', 'created', v_change.change_id,
            array_agg(i.unit_id::text order by i.ordinality), array_agg(i.address order by i.ordinality),
            array_agg(jsonb_build_object('kind', i.kind, 'version', 1, 'sha256', encode(i.sha256, 'hex'))
                order by i.ordinality)) as done
        from input as i
        join born as b on b.unit_id = i.unit_id
    )
    -- A piece that was not born has a fault, or its address is taken.
    select i.ordinality, coalesce(b.unit_id, iucore.fn_iu_refuse_pieces(p_pieces, v_change.change_id)), i.address,
        1::bigint, encode(i.sha256, 'hex'), v_change.change_id
    from input as i
    cross join emitted
    left join born as b on b.unit_id = i.unit_id
    order by i.ordinality;
    perform iucore.fn_iu_change_close(v_change.change_id, p_request_key, '{}');
exception
    when untranslatable_character or invalid_text_representation or numeric_value_out_of_range
        or invalid_parameter_value or datatype_mismatch then
        get stacked diagnostics v_detail = pg_exception_detail;
        perform iucore.fn_iu_refuse_json(sqlstate, sqlerrm, v_detail);
end
$$;

alter function iucore.fn_iu_create_many owner to iucore_owner;
comment on function iucore.fn_iu_create_many is 'The birth gate for many pieces in one call, all or nothing.';
revoke execute on function iucore.fn_iu_create_many from public;
grant execute on function iucore.fn_iu_create_many to iucore_author;
