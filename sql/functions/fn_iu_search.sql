create or replace function iucore.fn_iu_search(
    p_text text,
    p_prefix text default '',
    p_collection text default null,
    p_limit bigint default 20,
    p_all_versions boolean default false,
    p_similar boolean default false
)
returns table (
    address text,
    kind text,
    version bigint,
    title text,
    lifecycle text,
    places bigint,
    found_by text,
    rank numeric,
    snippet text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set client_min_messages = error
set jit = off
as $$
-- Pieces that say a text, the best first: heads unless p_all_versions, retired ones too, soft-deleted ones never; those
-- that stand in p_collection now, nested ones too, when it is given. found_by says how; each way is tried only where the
-- one before found nothing:
--   words      full text over title, address and the first 65,536 characters of the body, from which no tsvector reaches
--              its limit of 1 MB; p_text is read by websearch_to_tsquery, words by the configuration simple. Of more
--              than 5,000 pieces those changed last are ranked;
--   substring  p_text as it stands, in any case of letters, in the order of addresses;
--   similar    pg_trgm, where it is installed, over the first 20,000 characters; at once when p_similar.
-- In snippet U+0002 and U+0003 stand around what was found. There is no index: the bodies are read
-- (docs/decisions/0016-search.md).
-- Raises: IU003, IU057, IU212.
declare
    v_lexeme constant text := '''((?:[^'']|'''')*)''';
    v_escape constant text := chr(92);
    v_text constant text := btrim(p_text);
    v_collation name;
    v_low text;
    v_query tsquery;
    v_query_text text;
    v_signs text;
    v_any boolean := false;
    v_words text[] := array[]::text[];
    v_units uuid[];
    v_schema name;
    v_grams text[];
    v_needed bigint;
    v_way text;
begin
    if v_text is null or char_length(v_text) not between 1 and 1000 then
        raise exception using errcode = 'IU057', message = 'text to search for is empty or too long',
            detail = format('characters: %s, limit: 1000', coalesce(char_length(v_text)::text, 'null')),
            hint = 'Give some words, for example: iucore search "annual leave"';
    end if;
    if p_collection is not null then
        v_units := array(
            with recursive inside (id) as (
                select iucore.fn_iu_collection_id(p_collection)
                union
                select m.child_id
                from inside as i
                join iucore.collection_member as m on m.collection_id = i.id
                where m.child_id is not null and m.closed_change is null
            )
            select distinct m.unit_id
            from inside as i
            join iucore.collection_member as m on m.collection_id = i.id
            where m.unit_id is not null and m.closed_change is null
        );
    end if;

    -- Small letters by a collation that knows all letters, where that of the database knows those of ASCII only.
    select c.collname into v_collation
    from pg_collation as c
    where c.collnamespace = 'pg_catalog'::regnamespace and c.collencoding in (-1, pg_char_to_encoding('UTF8'))
        and c.collname in ('default', 'pg_c_utf8', 'und-x-icu', 'C.utf8')
    order by c.collname = 'default' and lower(chr(220) collate "default") <> chr(220) desc, c.collname = 'pg_c_utf8' desc,
        c.collname = 'und-x-icu' desc, c.collname = 'C.utf8' desc
    limit 1;
    execute format('select lower($1 collate pg_catalog.%I)', v_collation) into v_low using v_text;
    -- The words that must stand in what is found are looked for first: that is ten times cheaper than a tsvector. All of
    -- them or, where the query has an "or", any; none where it has both "or" and "not", or a phrase that must not be there.
    v_query := websearch_to_tsquery('pg_catalog.simple', v_low);
    v_query_text := v_query::text;
    v_signs := regexp_replace(v_query_text, v_lexeme, '', 'g');
    if not (v_signs ~ '!' and (v_signs ~ '[|]' or v_query_text ~ '! *[(]')) then
        v_any := v_signs ~ '[|]';
        v_words := array(
            select '%' || replace(replace(replace(w.word, v_escape, v_escape || v_escape), '%', v_escape || '%'),
                '_', v_escape || '_') || '%'
            from regexp_matches(regexp_replace(v_query_text, '!' || v_lexeme, '', 'g'), v_lexeme, 'g') as m (found)
            cross join lateral (
                select replace(replace(m.found[1], '''''', ''''), v_escape || v_escape, v_escape) as word
            ) as w
        );
    end if;

    -- The extension's own functions, whatever else stands in its schema.
    select n.nspname into v_schema
    from pg_extension as e
    join pg_depend as d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'
    join pg_proc as p on d.classid = 'pg_proc'::regclass and p.oid = d.objid and p.proname = 'word_similarity'
    join pg_namespace as n on n.oid = p.pronamespace
    where e.extname = 'pg_trgm' and has_schema_privilege(n.oid, 'usage') and has_function_privilege(p.oid, 'execute');
    if v_schema is not null then
        -- What is similar by 0.4 has that part of the trigrams. One letter at the beginning of a word, and what pg_trgm
        -- writes as a hash, are taken to be there.
        execute format('select array(select btrim(t) from unnest(g) as t where btrim(t) !~ ''^(0x.*|.)$''), cardinality(g)'
            ' from %I.show_trgm($1) as g', v_schema)
        into v_grams, v_needed using v_text;
        v_needed := ceil(0.4 * v_needed)::bigint - v_needed + cardinality(v_grams);
    elsif p_similar then
        raise exception using errcode = 'IU057', message = 'the database cannot search for what is similar',
            detail = format('extension pg_trgm: not installed, or not open to role %s', current_user),
            hint = 'Ask a DBA to run: create extension pg_trgm; or search for the words as they are.';
    end if;

    -- What is executed is made of literals; names are quoted by %I, and all that the caller gives is bound.
    -- @plpgsql_check_options: security_warnings = off, extra_warnings = off
    foreach v_way in array case when p_similar then array['similar'] else array['words', 'substring', 'similar'] end loop
        continue when (v_way = 'words' and numnode(v_query) = 0) or (v_way = 'similar' and v_schema is null);
        -- Offset 0: this first, and once for each row. Newest first, so that of very many the newest are ranked.
        return query execute format('
            select h.address, h.kind, h.version, h.title, h.lifecycle,
                (
                    select count(*)
                    from iucore.collection_member as m
                    join iucore.collection as k on k.collection_id = m.collection_id and k.deleted_change is null
                    where m.unit_id = h.unit_id and m.closed_change is null
                ),
                $9, round(h.rank::numeric, 4), left(regexp_replace(%2$s, '' +'', '' '', ''g''), 400)
            from (
                select r.*
                from (
                    select f.*, w.rank
                    from (
                        select u.unit_id, u.address, u.kind, v.version, v.title, v.lifecycle, v.content_sha256
                        from iucore.information_unit as u
                        join iucore.unit_version as v on v.unit_id = u.unit_id and ($3 or v.version = u.head_version)
                        join iucore.unit_content as c on c.content_sha256 = v.content_sha256
                        cross join lateral (
                            select lower((v.title || '' '' || u.address || '' '' || c.body) collate pg_catalog.%1$I) as said
                        ) as s
                        where u.deleted_change is null and u.address >= $1 and u.address < $1 || chr(1114111)
                            and ($2 is null or u.unit_id = any ($2)) and %3$s
                    ) as f
                    cross join lateral (%4$s) as w
                    limit case when $9 = ''words'' and $7 is not null then greatest($7, 5000) end
                ) as r
                order by r.rank desc, r.address, r.version desc
                limit $7
            ) as h
            join iucore.unit_content as b on b.content_sha256 = h.content_sha256
            order by h.rank desc, h.address, h.version desc',
            v_collation,
            -- The snippet.
            case v_way
                when 'words' then
                    'ts_headline(''pg_catalog.simple'', translate(left(b.body, 65536), $10, ''     ''), $5,
                        format(''StartSel=%s, StopSel=%s, MaxWords=30, MinWords=12'', chr(2), chr(3)))'
                when 'substring' then format(
                    '(
                        select case when f.at = 0 then translate(left(b.body, 200), $10, ''     '')
                            else translate(substr(b.body, greatest(f.at - 80, 1), least(f.at - 1, 80)), $10, ''     '')
                                || chr(2) || translate(substr(b.body, f.at, char_length($6)), $10, ''     '') || chr(3)
                                || translate(substr(b.body, f.at + char_length($6), 120), $10, ''     '') end
                        from (values (position($6 in lower(b.body collate pg_catalog.%I)))) as f (at)
                    )', v_collation)
                else 'translate(left(b.body, 200), $10, ''     '')' end,
            -- What is cheap.
            case v_way
                when 'words' then format('s.said like %s ($4) order by v.change_id desc offset 0',
                    case when v_any then 'any' else 'all' end)
                when 'substring' then 'position($6 in s.said) > 0'
                else '(
                    select count(*)
                    from (select s.said offset 0) as l
                    cross join unnest($4) as g
                    where position(g in l.said) > 0
                ) >= $8' end,
            -- What is not, and the rank.
            case v_way
                when 'words' then format(
                    'select ts_rank(w.words, $5, 1) as rank
                    from (
                        select setweight(to_tsvector(''pg_catalog.simple'', lower(f.title collate pg_catalog.%1$I)), ''A'')
                            || setweight(to_tsvector(''pg_catalog.simple'', lower((f.address || '' ''
                                || translate(f.address, ''/._~%%-'', ''      '')) collate pg_catalog.%1$I)), ''B'')
                            || to_tsvector(''pg_catalog.simple'', lower(left(c.body, 65536) collate pg_catalog.%1$I)) as words
                        from iucore.unit_content as c
                        where c.content_sha256 = f.content_sha256
                        offset 0
                    ) as w
                    where w.words @@ $5', v_collation)
                when 'substring' then 'select 0::real as rank'
                else format(
                    'select w.rank
                    from (
                        select %I.word_similarity($6, left(f.title || '' '' || f.address || '' '' || c.body, 20000)) as rank
                        from iucore.unit_content as c
                        where c.content_sha256 = f.content_sha256
                        offset 0
                    ) as w
                    where w.rank >= 0.4', v_schema) end)
        using p_prefix, v_units, p_all_versions, case v_way when 'similar' then v_grams else v_words end, v_query,
            case v_way when 'substring' then coalesce(nullif(btrim(v_low, '" '), ''), v_low) else v_text end, p_limit, v_needed,
            v_way, chr(2) || chr(3) || chr(9) || chr(10) || chr(13);
        exit when found;
    end loop;
end
$$;

alter function iucore.fn_iu_search owner to iucore_owner;
comment on function iucore.fn_iu_search is 'Pieces that say a text: full text, else as a substring, else what is similar.';
revoke execute on function iucore.fn_iu_search from public;
grant execute on function iucore.fn_iu_search to iucore_reader;
