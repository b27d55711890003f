create or replace function iucore.fn_iu_is_attributes(p_attributes jsonb)
returns boolean
language sql
immutable parallel safe
as $$
    select p_attributes is not null
        and jsonb_typeof(p_attributes) = 'object'
        and octet_length(p_attributes::text) <= 65536
        and (p_attributes = '{}' or not pg_catalog.jsonb_path_exists(p_attributes, '$.**{17}'::jsonpath))
$$;

alter function iucore.fn_iu_is_attributes owner to iucore_owner;
comment on function iucore.fn_iu_is_attributes is 'Whether a JSON value may be the attributes of a piece: an object, at most 16 deep and 64 KiB.';
revoke execute on function iucore.fn_iu_is_attributes from public;
grant execute on function iucore.fn_iu_is_attributes to iucore_reader;
