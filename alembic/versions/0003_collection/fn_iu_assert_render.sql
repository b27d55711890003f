create or replace function iucore.fn_iu_assert_render(p_key text, p_pieces numeric, p_bytes numeric)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- Raises: IU026.
begin
    if p_bytes > iucore.fn_iu_limit('render_bytes') or p_pieces > iucore.fn_iu_limit('render_members') then
        raise exception using errcode = 'IU026', message = 'render too large',
            detail = format('collection: %s, pieces: %s, bytes: %s or more; limits: %s pieces, %s bytes', p_key, p_pieces,
                p_bytes, iucore.fn_iu_limit('render_members'), iucore.fn_iu_limit('render_bytes')),
            hint = 'Render its parts, or stream it with fn_iu_render_pieces (iucore render -o FILE).';
    end if;
    return true;
end
$$;

alter function iucore.fn_iu_assert_render owner to iucore_owner;
comment on function iucore.fn_iu_assert_render is 'Refuse a render over the limit.';
revoke execute on function iucore.fn_iu_assert_render from public;
grant execute on function iucore.fn_iu_assert_render to iucore_reader;
