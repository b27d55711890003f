create or replace function iucore.fn_iu_mermaid_text(p_text text)
returns text
language sql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    -- Text inside a quoted Mermaid label: what Mermaid would read as markup becomes an entity. '#' first.
    select replace(replace(replace(replace(replace(replace(replace(p_text,
        '#', '#35;'), '&', '#amp;'), '%', '#37;'), '"', '#quot;'), '<', '#lt;'), '>', '#gt;'), '`', '#96;')
$$;

alter function iucore.fn_iu_mermaid_text owner to iucore_owner;
comment on function iucore.fn_iu_mermaid_text is 'Text for a quoted label of a Mermaid flowchart.';
revoke execute on function iucore.fn_iu_mermaid_text from public;
grant execute on function iucore.fn_iu_mermaid_text to iucore_reader;
