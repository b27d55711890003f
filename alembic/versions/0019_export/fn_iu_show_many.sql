create or replace function iucore.fn_iu_show_many(
    p_addresses text[],
    p_versions bigint[] default null,
    p_bodies boolean default true
)
returns table (
    ordinal bigint,
    address text,
    kind text,
    version bigint,
    head_version bigint,
    title text,
    lifecycle text,
    content_sha256 text,
    byte_length bigint,
    body text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set jit = off
as $$
-- Versions of several pieces: each address with the version at its place, where there is none with the head. What does
-- not exist gives no row; ordinal, from 1, is the place of what does. Lifecycle as in fn_iu_show. Without p_bodies body
-- is null.
begin
    return query
    select p.ordinality, u.address, u.kind, v.version, u.head_version, v.title,
        case when u.deleted_change is not null and v.version = u.head_version then 'soft_deleted' else v.lifecycle end,
        encode(v.content_sha256, 'hex'), c.byte_length::bigint, case when p_bodies then c.body end
    from unnest(p_addresses, p_versions) with ordinality as p (address, version, ordinality)
    join iucore.information_unit as u on u.address = p.address
    join iucore.unit_version as v on v.unit_id = u.unit_id and v.version = coalesce(p.version, u.head_version)
    join iucore.unit_content as c on c.content_sha256 = v.content_sha256
    order by p.ordinality;
end
$$;

alter function iucore.fn_iu_show_many owner to iucore_owner;
comment on function iucore.fn_iu_show_many is 'Versions of several pieces, with their bodies.';
revoke execute on function iucore.fn_iu_show_many from public;
grant execute on function iucore.fn_iu_show_many to iucore_reader;
