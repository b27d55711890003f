create or replace function iucore.fn_iu_refuse_deleted_piece(p_address text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- Internal: the one place that says that a piece is soft-deleted. Raises: IU209.
declare
    v_change record;
begin
    select c.change_id, c.actor, c.reason into v_change
    from iucore.information_unit as u
    join iucore.change as c on c.change_id = u.deleted_change
    where u.address = p_address;
    raise exception using errcode = 'IU209', message = 'piece is soft-deleted',
        detail = format('address: %s, deleted by %s in change %s: %s', p_address, v_change.actor, v_change.change_id,
            v_change.reason),
        hint = 'Restore it first with fn_iu_restore (iucore piece restore).';
end
$$;

alter function iucore.fn_iu_refuse_deleted_piece owner to iucore_owner;
comment on function iucore.fn_iu_refuse_deleted_piece is 'Refuse what cannot be done with a soft-deleted piece.';
revoke execute on function iucore.fn_iu_refuse_deleted_piece from public;
