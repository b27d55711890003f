create or replace function iucore.fn_iu_is_open(p_opened bigint, p_closed bigint, p_as_of bigint)
returns boolean
language sql
immutable parallel safe
as $$
    -- Whether a row that stands from one change to another is seen now (p_as_of null) or as of a change. Inlined.
    select case when p_as_of is null then p_closed is null
        else p_opened <= p_as_of and (p_closed is null or p_closed > p_as_of) end
$$;

alter function iucore.fn_iu_is_open owner to iucore_owner;
comment on function iucore.fn_iu_is_open is 'Whether a temporal row is seen now or as of a change.';
revoke execute on function iucore.fn_iu_is_open from public;
grant execute on function iucore.fn_iu_is_open to iucore_reader;
