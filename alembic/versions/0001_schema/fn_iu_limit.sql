create or replace function iucore.fn_iu_limit(p_name text)
returns bigint
language sql
immutable parallel safe
as $$
    -- Every limit in one place. Bytes unless the name says otherwise. iucore/units.py repeats body_bytes; a test compares.
    select case p_name
        when 'body_bytes' then 16777216
        when 'render_bytes' then 268435456
        when 'attributes_bytes' then 65536
        when 'attributes_depth' then 16
        when 'address_bytes' then 1024
        when 'title_characters' then 300
        when 'reason_characters' then 2000
        when 'caller_characters' then 200
        when 'render_members' then 10000000
        when 'nesting_depth' then 32
        when 'rank_characters' then 120
    end
$$;

alter function iucore.fn_iu_limit owner to iucore_owner;
comment on function iucore.fn_iu_limit is 'A limit by name; null for an unknown name.';
revoke execute on function iucore.fn_iu_limit from public;
grant execute on function iucore.fn_iu_limit to iucore_reader;
