create or replace function iucore.fn_iu_limit(p_name text)
returns bigint
language sql
immutable parallel safe
as $$
    -- The limits that several places share. The client repeats body_bytes; a test compares.
    select case p_name
        when 'body_bytes' then 16777216
        when 'render_bytes' then 268435456
        when 'render_members' then 10000000
        when 'nesting_depth' then 32
        when 'rank_characters' then 120
    end
$$;

alter function iucore.fn_iu_limit owner to iucore_owner;
comment on function iucore.fn_iu_limit is 'A limit by name; null for an unknown name.';
revoke execute on function iucore.fn_iu_limit from public;
grant execute on function iucore.fn_iu_limit to iucore_reader;
