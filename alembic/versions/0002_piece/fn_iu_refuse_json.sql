create or replace function iucore.fn_iu_refuse_json(p_sqlstate text, p_message text, p_detail text)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
-- Turns what PostgreSQL says while it takes JSON apart into our own refusal. Internal.
-- Raises: IU012, IU013, IU019.
begin
    if p_sqlstate = '22P05' then
        raise exception using errcode = 'IU012', message = 'text holds U+0000', detail = p_message,
            hint = 'PostgreSQL cannot store U+0000 in text; remove its escape from the JSON.';
    elsif p_sqlstate = '22P02' and p_detail ilike '%surrogat%' then
        raise exception using errcode = 'IU013', message = 'text holds a lone surrogate', detail = p_detail,
            hint = 'Write characters beyond U+FFFF as a pair of surrogates, high then low.';
    end if;
    raise exception using errcode = 'IU019', message = 'JSON is not of the documented shape',
        detail = concat_ws('; ', p_message, nullif(p_detail, '')),
        hint = 'See the shape in the header of fn_iu_create_many or fn_iu_collection_create (docs/reference/functions.md).';
end
$$;

alter function iucore.fn_iu_refuse_json owner to iucore_owner;
comment on function iucore.fn_iu_refuse_json is 'Refuse JSON that is not of the documented shape.';
revoke execute on function iucore.fn_iu_refuse_json from public;
