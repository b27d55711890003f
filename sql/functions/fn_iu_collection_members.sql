create or replace function iucore.fn_iu_collection_members(
    p_key text,
    p_as_of_change bigint default null,
    p_as_of timestamptz default null
)
returns table (
    "position" bigint,
    member_id bigint,
    member_kind text,
    address text,
    version bigint,
    pinned boolean,
    title text,
    lifecycle text,
    content_sha256 text,
    byte_length bigint,
    label text,
    transitions jsonb,
    rank text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set random_page_cost = 1.1
set jit = off
as $$
-- The members of a collection in order, not expanded. Position counts from 1.
-- Raises: IU003, IU008, IU018.
declare
    v_as_of bigint := iucore.fn_iu_as_of(p_as_of_change, p_as_of);
    v_collection_id uuid := iucore.fn_iu_collection_id(p_key, v_as_of);
begin
    return query
    select row_number() over (order by m.rank collate "C"), m.member_id,
        case when m.child_id is null then 'piece' else 'collection' end,
        coalesce(u.address, k.key), m.version, m.pinned_version is not null, coalesce(v.title, k.title), v.lifecycle,
        encode(m.content_sha256, 'hex'), c.byte_length::bigint, m.label, m.transitions, m.rank
    from iucore.fn_iu_members_at(v_collection_id, v_as_of) as m
    left join iucore.information_unit as u on u.unit_id = m.unit_id
    left join iucore.unit_version as v on v.unit_id = m.unit_id and v.version = m.version
    left join iucore.unit_content as c on c.content_sha256 = m.content_sha256
    left join iucore.collection as k on k.collection_id = m.child_id
    order by 1;
end
$$;

alter function iucore.fn_iu_collection_members owner to iucore_owner;
comment on function iucore.fn_iu_collection_members is 'The members of a collection in order.';
revoke execute on function iucore.fn_iu_collection_members from public;
grant execute on function iucore.fn_iu_collection_members to iucore_reader;
