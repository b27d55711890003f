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
as $$
-- The birth gate for many: a JSON array of {"address", "kind", "title", "body", "attributes"?}, all or nothing.
-- One statement checks every piece and inserts only when none has a fault, so a refusal writes no row.
-- Locks: nothing that exists; waits for sessions that are creating the same address or body. Bodies and addresses
-- are inserted in sorted order, so that two calls that share some cannot deadlock.
-- Raises: IU019 for the shape of the array, otherwise what fn_iu_create raises, naming the piece by its ordinal.
declare
    v_change record;
    v_fault record;
    v_taken text;
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
    if v_change.replayed is null then
        begin
            with input as materialized (
                select p.ordinality, p.address, p.kind, p.title, p.body, coalesce(p.attributes, '{}') as attributes,
                    sha256(convert_to(p.body, 'UTF8')) as sha256,
                    case
                        when not iucore.fn_iu_is_address(p.address) then 'address'
                        when k.kind is null then 'kind'
                        when not iucore.fn_iu_is_name(p.title, 300) then 'title'
                        when not iucore.fn_iu_is_attributes(coalesce(p.attributes, '{}')) then 'attributes'
                        when p.body is null or octet_length(p.body) > 16777216 then 'body'
                        when count(*) over (partition by p.address) > 1 then 'twice'
                        when u.unit_id is not null then 'taken'
                    end as fault
                from rows from (json_to_recordset(p_pieces)
                    as (address text, kind text, title text, body text, attributes jsonb))
                    with ordinality as p
                left join iucore.unit_kind as k on k.kind = p.kind
                left join iucore.information_unit as u on u.address = p.address
            ),
            fault as materialized (
                select i.ordinality, i.address, i.kind, i.title, i.body, i.attributes, i.fault
                from input as i
                where i.fault is not null
                order by i.ordinality
                limit 1
            ),
            content as (
                insert into iucore.unit_content (content_sha256, byte_length, body)
                select i.sha256, octet_length(i.body), i.body
                from input as i
                where not exists (select from fault)
                order by i.sha256
                on conflict on constraint pk_unit_content do nothing
            ),
            born as (
                insert into iucore.information_unit (unit_id, address, kind, head_version, head_sha256, change_id)
                select iucore.fn_iu_uuid7(), i.address, i.kind, 1, i.sha256, v_change.change_id
                from input as i
                where not exists (select from fault)
                order by i.address collate "C"
                on conflict on constraint uq_information_unit_address do nothing
                returning information_unit.unit_id, information_unit.address
            ),
            versions as (
                insert into iucore.unit_version
                    (unit_id, version, content_sha256, title, lifecycle, attributes, change_id)
                select b.unit_id, 1, i.sha256, i.title, 'active', i.attributes, v_change.change_id
                from born as b
                join input as i on i.address = b.address
                returning 1
            )
            select f.ordinality, f.fault, f.address, f.kind, f.title, f.body, f.attributes,
                (select count(*) from input) as pieces, (select count(*) from versions) as born
            into v_fault
            from (select) as one
            left join fault as f on true;
        exception
            when untranslatable_character then
                raise exception using errcode = 'IU012', message = 'text holds U+0000',
                    hint = 'PostgreSQL cannot store U+0000 in text; remove \u0000 from the JSON.';
            when invalid_text_representation then
                raise exception using errcode = 'IU013', message = 'text holds a lone surrogate',
                    detail = sqlerrm, hint = 'Write characters beyond U+FFFF as a pair of surrogates, high then low.';
            when invalid_parameter_value or datatype_mismatch then
                raise exception using errcode = 'IU019', message = 'an element of pieces is not an object',
                    detail = sqlerrm, hint = 'Give a JSON array of {"address", "kind", "title", "body", "attributes"?}.';
        end;

        if v_fault.fault is not null then
            begin
                if v_fault.fault in ('twice', 'taken') then
                    perform iucore.fn_iu_refuse_address(v_fault.address);
                end if;
                perform iucore.fn_iu_assert_address(v_fault.address);
                perform iucore.fn_iu_assert_kind(v_fault.kind);
                perform iucore.fn_iu_assert_title(v_fault.title);
                perform iucore.fn_iu_assert_attributes(v_fault.attributes);
                perform iucore.fn_iu_content_put(v_fault.body);
            exception
                -- The same refusal, with the place in the list.
                when others then
                    declare
                        v_detail text;
                        v_hint text;
                    begin
                        get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
                        raise exception using errcode = sqlstate, message = sqlerrm,
                            detail = format('piece %s of %s%s; %s', v_fault.ordinality, v_fault.pieces,
                                case v_fault.fault when 'twice' then ' (address twice in this call)' else '' end,
                                v_detail),
                            hint = v_hint;
                    end;
            end;
        end if;
        if v_fault.born < v_fault.pieces then
            -- Another session took an address between our look and our insert.
            select p.address into v_taken
            from json_to_recordset(p_pieces) as p (address text)
            join iucore.information_unit as u on u.address = p.address and u.change_id <> v_change.change_id
            limit 1;
            perform iucore.fn_iu_refuse_address(v_taken);
        end if;
        perform iucore.fn_iu_change_close(v_change.change_id, p_request_key, '{}');
    end if;

    return query
    select row_number() over (order by p.ordinality), u.unit_id, u.address, v.version,
        encode(v.content_sha256, 'hex'), v.change_id
    from rows from (json_to_recordset(p_pieces) as (address text)) with ordinality as p
    join iucore.information_unit as u on u.address = p.address
    join iucore.unit_version as v on v.unit_id = u.unit_id and v.version = 1;
end
$$;

alter function iucore.fn_iu_create_many owner to iucore_owner;
comment on function iucore.fn_iu_create_many is 'The birth gate for many pieces in one call, all or nothing.';
revoke execute on function iucore.fn_iu_create_many from public;
grant execute on function iucore.fn_iu_create_many to iucore_author;
