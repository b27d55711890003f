create or replace function iucore.fn_iu_list(
    p_prefix text default '',
    p_kind text default null,
    p_after text default '',
    p_limit bigint default 1000
)
returns table (
    address text,
    kind text,
    version bigint,
    title text,
    lifecycle text,
    content_sha256 text,
    byte_length bigint,
    change_id bigint
)
language sql
stable
as $$
    -- Pieces by address, from the first after p_after; give the last address of a page to get the next one.
    select u.address, u.kind, u.head_version, u.title, u.lifecycle, u.content_sha256, u.byte_length::bigint, u.change_id
    from iucore.v_piece as u
    where u.address > p_after
        and u.address >= p_prefix
        and u.address < p_prefix || chr(1114111)
        and (p_kind is null or u.kind = p_kind)
    order by u.address
    limit p_limit
$$;

alter function iucore.fn_iu_list owner to iucore_owner;
comment on function iucore.fn_iu_list is 'Pieces by address, page by page.';
revoke execute on function iucore.fn_iu_list from public;
grant execute on function iucore.fn_iu_list to iucore_reader;
