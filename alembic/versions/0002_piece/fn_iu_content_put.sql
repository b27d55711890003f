create or replace function iucore.fn_iu_content_put(p_body text)
returns bytea
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- Stores a body once and returns its sha256. Internal; the caller has asserted the body before it wrote anything.
-- Locks: waits for another session that is storing the same body.
declare
    v_sha256 bytea;
begin
    v_sha256 := sha256(convert_to(p_body, 'UTF8'));
    insert into iucore.unit_content (content_sha256, byte_length, body)
    values (v_sha256, octet_length(p_body), p_body)
    on conflict (content_sha256) do nothing;
    return v_sha256;
end
$$;

alter function iucore.fn_iu_content_put owner to iucore_owner;
comment on function iucore.fn_iu_content_put is 'Store a body once per distinct sha256.';
revoke execute on function iucore.fn_iu_content_put from public;
