create or replace function iucore.fn_iu_piece_row(p_unit_id uuid, p_version bigint, p_changed boolean)
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
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    -- What the writing functions of pieces return. Internal.
    select u.unit_id, u.address, u.kind, v.version, v.title, v.lifecycle, encode(v.content_sha256, 'hex'),
        c.byte_length::bigint, v.change_id, p_changed
    from iucore.information_unit as u
    join iucore.unit_version as v on v.unit_id = u.unit_id and v.version = p_version
    join iucore.unit_content as c on c.content_sha256 = v.content_sha256
    where u.unit_id = p_unit_id
$$;

alter function iucore.fn_iu_piece_row owner to iucore_owner;
comment on function iucore.fn_iu_piece_row is 'One version of a piece as the writing functions return it.';
revoke execute on function iucore.fn_iu_piece_row from public;
