create or replace function iucore.fn_iu_unit_usable(p_address text, p_version bigint)
returns uuid
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- The id of a piece that may be put to a new use, and has the version (null: the head). Internal.
-- Locks: the row of the piece against fn_iu_retire with p_refuse_if_used, which must not overlook this use.
-- Raises: IU001, IU002, IU208, IU209.
declare
    v_unit record;
begin
    select u.unit_id, u.deleted_change, u.head_version into v_unit
    from iucore.information_unit as u
    where u.address = p_address
    for key share;
    if not found then
        perform iucore.fn_iu_refuse_unknown_piece(p_address);
    elsif v_unit.deleted_change is not null then
        perform iucore.fn_iu_refuse_deleted_piece(p_address);
    elsif p_version is not null then
        perform iucore.fn_iu_show(p_address, p_version);
    end if;
    -- A statement of its own, after the lock: it sees a retirement that was waited for.
    if exists (
        select from iucore.unit_version as v
        where v.unit_id = v_unit.unit_id and v.version = v_unit.head_version and v.lifecycle = 'retired'
    ) then
        raise exception using errcode = 'IU208', message = 'piece is retired', detail = format('address: %s', p_address),
            hint = 'A retired piece gets no new use: choose another, clone it, or set it active with fn_iu_lifecycle_set '
                '(iucore piece lifecycle).';
    end if;
    return v_unit.unit_id;
end
$$;

alter function iucore.fn_iu_unit_usable owner to iucore_owner;
comment on function iucore.fn_iu_unit_usable is 'The id of a piece that may be put to a new use.';
revoke execute on function iucore.fn_iu_unit_usable from public;
