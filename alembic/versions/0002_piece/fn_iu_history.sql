create or replace function iucore.fn_iu_history(p_address text)
returns table (
    version bigint,
    title text,
    lifecycle text,
    content_sha256 text,
    byte_length bigint,
    change_id bigint,
    verb text,
    actor text,
    claimed_actor text,
    reason text,
    changed_at timestamptz
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- Every version of a piece, newest first, with who made it, when and why.
-- Raises: IU001.
declare
    v_unit_id uuid := iucore.fn_iu_unit_id(p_address);
begin
    return query
    select v.version, v.title, v.lifecycle, encode(v.content_sha256, 'hex'), c.byte_length::bigint,
        v.change_id, g.verb, g.actor, g.claimed_actor, g.reason, g.changed_at
    from iucore.unit_version as v
    join iucore.unit_content as c on c.content_sha256 = v.content_sha256
    join iucore.change as g on g.change_id = v.change_id
    where v.unit_id = v_unit_id
    order by v.version desc;
end
$$;

alter function iucore.fn_iu_history owner to iucore_owner;
comment on function iucore.fn_iu_history is 'Every version of a piece, newest first.';
revoke execute on function iucore.fn_iu_history from public;
grant execute on function iucore.fn_iu_history to iucore_reader;
