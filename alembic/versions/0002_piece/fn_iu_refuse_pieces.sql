create or replace function iucore.fn_iu_refuse_pieces(p_pieces json, p_change_id bigint)
returns uuid
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- Says which piece of a list was refused and why: the first with a fault of its own, else the first whose address
-- stands twice in the list, else the first whose address is taken. Internal: called when fn_iu_create_many has refused
-- already; volatile, so that it sees the address that another session has taken meanwhile, and leaves out what the
-- refused call itself bore.
-- Raises: IU005, IU010, IU011, IU014, IU015, IU032, IU201.
declare
    v_piece record;
    v_count integer := json_array_length(p_pieces);
    v_detail text;
    v_hint text;
begin
    for v_piece in
        select p.*
        from rows from (json_to_recordset(p_pieces)
            as (address text, kind text, title text, body text, attributes jsonb)) with ordinality as p
        order by p.ordinality
    loop
        begin
            perform iucore.fn_iu_assert_address(v_piece.address);
            perform iucore.fn_iu_assert_kind(v_piece.kind);
            perform iucore.fn_iu_assert_title(v_piece.title);
            perform iucore.fn_iu_assert_attributes(coalesce(v_piece.attributes, '{}'));
            perform iucore.fn_iu_assert_body(v_piece.body);
        exception
            -- The same refusal, with the place in the list.
            when others then
                get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
                raise exception using errcode = sqlstate, message = sqlerrm,
                    detail = format('piece %s of %s; %s', v_piece.ordinality, v_count, v_detail), hint = v_hint;
        end;
    end loop;

    select p.address, p.ordinality, ' (address twice in this call)' as twice into v_piece
    from (
        select p.address, p.ordinality, count(*) over (partition by p.address) as times
        from rows from (json_to_recordset(p_pieces) as (address text)) with ordinality as p
    ) as p
    where p.times > 1
    order by p.ordinality
    limit 1;
    if not found then
        -- Locked, so that it is still there when the caller reads the refusal.
        select p.address, p.ordinality, '' as twice into v_piece
        from rows from (json_to_recordset(p_pieces) as (address text)) with ordinality as p
        join iucore.information_unit as u on u.address = p.address and u.change_id <> p_change_id
        order by p.ordinality
        limit 1
        for key share of u;
    end if;
    perform iucore.fn_iu_refuse_address(v_piece.address,
        format('piece %s of %s%s; ', v_piece.ordinality, v_count, v_piece.twice));
    return null;
end
$$;

alter function iucore.fn_iu_refuse_pieces owner to iucore_owner;
comment on function iucore.fn_iu_refuse_pieces is 'Say which piece of a list was refused and why.';
revoke execute on function iucore.fn_iu_refuse_pieces from public;
