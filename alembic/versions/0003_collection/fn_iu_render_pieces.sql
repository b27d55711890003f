create or replace function iucore.fn_iu_render_pieces(
    p_key text,
    p_as_of_change bigint default null,
    p_as_of timestamptz default null
)
returns table (
    collection_key text,
    member_id bigint,
    address text,
    version bigint,
    content_sha256 text,
    byte_length bigint,
    body text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set random_page_cost = 1.1
set jit = off
as $$
-- The same text as fn_iu_render, one row for each piece in order: to stream it, or to see where each byte comes from.
-- Raises: IU003, IU008, IU018, IU026 (for the number of pieces), IU033.
declare
    v_as_of bigint := iucore.fn_iu_as_of(p_as_of_change, p_as_of);
    v_collection_id uuid := iucore.fn_iu_collection_id(p_key, v_as_of);
begin
    perform iucore.fn_iu_assert_render(p_key, m.pieces, 0)
    from iucore.fn_iu_collection_measure(v_collection_id, v_as_of, p_bytes => false) as m;
    return query
    select k.key, p.member_id, u.address, p.version, encode(p.content_sha256, 'hex'), c.byte_length::bigint,
        coalesce(c.body, iucore.fn_iu_refuse_content(p.member_id))
    from iucore.fn_iu_pieces_at(v_collection_id, v_as_of) as p
    join iucore.collection as k on k.collection_id = p.collection_id
    left join iucore.information_unit as u on u.unit_id = p.unit_id
    left join iucore.unit_content as c on c.content_sha256 = p.content_sha256
    order by p.path collate "C";
end
$$;

alter function iucore.fn_iu_render_pieces owner to iucore_owner;
comment on function iucore.fn_iu_render_pieces is 'The text of a collection, one row for each piece.';
revoke execute on function iucore.fn_iu_render_pieces from public;
grant execute on function iucore.fn_iu_render_pieces to iucore_reader;
