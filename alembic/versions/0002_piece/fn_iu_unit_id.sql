create or replace function iucore.fn_iu_unit_id(p_address text)
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- Raises: IU001.
declare
    v_unit_id uuid;
begin
    select u.unit_id into v_unit_id from iucore.information_unit as u where u.address = p_address;
    if not found then
        perform iucore.fn_iu_refuse_unknown_piece(p_address);
    end if;
    return v_unit_id;
end
$$;

alter function iucore.fn_iu_unit_id owner to iucore_owner;
comment on function iucore.fn_iu_unit_id is 'The id of the piece at an address.';
revoke execute on function iucore.fn_iu_unit_id from public;
grant execute on function iucore.fn_iu_unit_id to iucore_reader;
