create or replace function iucore.fn_iu_show(p_address text, p_version bigint default null)
returns table (
    unit_id uuid,
    address text,
    kind text,
    version bigint,
    head_version bigint,
    title text,
    lifecycle text,
    attributes jsonb,
    content_sha256 text,
    byte_length bigint,
    source_address text,
    source_version bigint,
    change_id bigint,
    changed_at timestamptz,
    body text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- One version of a piece with its body; the head when no version is given. The lifecycle of the head of a soft-deleted
-- piece reads soft_deleted.
-- Raises: IU001, IU002.
declare
    v_unit_id uuid := iucore.fn_iu_unit_id(p_address);
begin
    return query
    select u.unit_id, u.address, u.kind, v.version, u.head_version, v.title,
        case when u.deleted_change is not null and v.version = u.head_version then 'soft_deleted' else v.lifecycle end,
        v.attributes,
        encode(v.content_sha256, 'hex'), c.byte_length::bigint, s.address, u.source_version,
        v.change_id, g.changed_at, c.body
    from iucore.information_unit as u
    join iucore.unit_version as v on v.unit_id = u.unit_id and v.version = coalesce(p_version, u.head_version)
    join iucore.unit_content as c on c.content_sha256 = v.content_sha256
    join iucore.change as g on g.change_id = v.change_id
    left join iucore.information_unit as s on s.unit_id = u.source_unit_id
    where u.unit_id = v_unit_id;
    if not found then
        raise exception using errcode = 'IU002', message = 'version not found',
            detail = format('address: %s, version: %s', p_address, p_version),
            hint = 'List the versions with fn_iu_history (iucore piece history).';
    end if;
end
$$;

alter function iucore.fn_iu_show owner to iucore_owner;
comment on function iucore.fn_iu_show is 'One version of a piece with its body.';
revoke execute on function iucore.fn_iu_show from public;
grant execute on function iucore.fn_iu_show to iucore_reader;
