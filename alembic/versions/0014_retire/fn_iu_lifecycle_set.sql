create or replace function iucore.fn_iu_lifecycle_set(
    p_address text,
    p_expected_version bigint,
    p_lifecycle text,
    p_reason text,
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
-- draft, active or retired, as a new version with the same body. fn_iu_retire says what becomes of a retired piece.
-- Locks: the row of the piece.
-- Raises: IU001, IU016, IU017, IU021, IU100, IU202, IU203, IU209.
declare
    v_put record;
begin
    if p_lifecycle is null or p_lifecycle not in ('draft', 'active', 'retired') then
        raise exception using errcode = 'IU021', message = 'lifecycle unknown',
            detail = format('lifecycle: %s', coalesce(quote_literal(left(p_lifecycle, 80)), 'null')),
            hint = 'Use draft, active or retired.';
    end if;
    select p.unit_id, p.version, p.changed into v_put
    from iucore.fn_iu_version_put(p_address, p_expected_version, null, null, p_lifecycle, null,
        'lifecycle_set', p_reason, p_actor, p_request_key) as p;
    return query select r.* from iucore.fn_iu_piece_row(v_put.unit_id, v_put.version, v_put.changed) as r;
end
$$;

alter function iucore.fn_iu_lifecycle_set owner to iucore_owner;
comment on function iucore.fn_iu_lifecycle_set is 'Set the lifecycle of a piece as a new version.';
revoke execute on function iucore.fn_iu_lifecycle_set from public;
grant execute on function iucore.fn_iu_lifecycle_set to iucore_operator;
