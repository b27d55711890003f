create or replace function iucore.fn_iu_edit(
    p_address text,
    p_expected_version bigint,
    p_reason text,
    p_body text default null,
    p_title text default null,
    p_attributes jsonb default null,
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
-- A new version: body, title and attributes, each null for as it was. The caller names the version that it saw.
-- When nothing differs the head is returned with changed = false, and only the call is recorded.
-- Locks: the row of the piece.
-- Raises: IU001, IU011, IU014, IU015, IU016, IU017, IU100, IU202, IU203,
-- IU209.
declare
    v_put record;
begin
    if p_body is not null then
        perform iucore.fn_iu_assert_body(p_body);
    end if;
    if p_title is not null then
        perform iucore.fn_iu_assert_title(p_title);
    end if;
    if p_attributes is not null then
        perform iucore.fn_iu_assert_attributes(p_attributes);
    end if;
    select p.unit_id, p.version, p.changed into v_put
    from iucore.fn_iu_version_put(p_address, p_expected_version, p_body, p_title, null, p_attributes,
        'edit', p_reason, p_actor, p_request_key) as p;
    return query select r.* from iucore.fn_iu_piece_row(v_put.unit_id, v_put.version, v_put.changed) as r;
end
$$;

alter function iucore.fn_iu_edit owner to iucore_owner;
comment on function iucore.fn_iu_edit is 'A new version of a piece, on top of the version that the caller saw.';
revoke execute on function iucore.fn_iu_edit from public;
grant execute on function iucore.fn_iu_edit to iucore_author;
