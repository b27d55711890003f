create or replace function iucore.fn_iu_find_content(p_sha256 text[], p_kind text default null)
returns table (content_sha256 text, address text, kind text)
language sql
stable
as $$
    -- For each sha256 (hex) the first piece, by address, whose head says exactly that and which is active; of one kind when
    -- it is given. pg_catalog.unnest: unqualified, a function in the caller's path that takes exactly text[] would be called.
    select distinct on (w.sha256) w.sha256, u.address, u.kind
    from pg_catalog.unnest(p_sha256) as w (sha256)
    join iucore.unit_version as v
        on v.content_sha256 = case when w.sha256 ~ '^([0-9a-f]{2})*$' then decode(w.sha256, 'hex') end and v.lifecycle = 'active'
    join iucore.information_unit as u on u.unit_id = v.unit_id and u.head_version = v.version and u.deleted_change is null
        and (p_kind is null or u.kind = p_kind)
    order by w.sha256, u.address
$$;

alter function iucore.fn_iu_find_content owner to iucore_owner;
comment on function iucore.fn_iu_find_content is 'Active pieces whose head has a given content.';
revoke execute on function iucore.fn_iu_find_content from public;
grant execute on function iucore.fn_iu_find_content to iucore_reader;
