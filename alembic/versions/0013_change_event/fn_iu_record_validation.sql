create or replace function iucore.fn_iu_record_validation(
    p_key text,
    p_reason text,
    p_actor text default null,
    p_request_key text default null
)
returns table (
    severity text,
    code text,
    member_id bigint,
    address text,
    message text,
    hint text
)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Validates a collection as fn_iu_collection_validate does, and records that it did: the numbers of errors and warnings go
-- out with the event. A repeated call returns the findings that were recorded.
-- Locks: the row of the collection.
-- Raises: IU003, IU016, IU017, IU100, IU101, IU203.
declare
    v_open record;
    v_result jsonb;
begin
    select o.* into v_open
    from iucore.fn_iu_composer_open('record_validation', p_key, p_reason, p_actor, p_request_key,
        jsonb_build_array(p_key)) as o;
    v_result := v_open.replayed;
    if v_result is null then
        select coalesce(jsonb_agg(to_jsonb(f) order by f.nth), '[]') into v_result
        from rows from (iucore.fn_iu_collection_validate(p_key))
            with ordinality as f (severity, code, member_id, address, message, hint, nth);
        perform iucore.fn_iu_composer_emit('validated', v_open.collection_id, p_key, v_open.change_id,
            (select jsonb_build_object('errors', count(*) filter (where r.severity = 'error'),
                'warnings', count(*) filter (where r.severity = 'warning'))
            from jsonb_to_recordset(v_result) as r (severity text)));
        perform iucore.fn_iu_change_close(v_open.change_id, p_request_key, v_result);
    end if;
    return query
    select r.severity, r.code, r.member_id, r.address, r.message, r.hint
    from jsonb_to_recordset(v_result)
        as r (severity text, code text, member_id bigint, address text, message text, hint text, nth bigint)
    order by r.nth;
end
$$;

alter function iucore.fn_iu_record_validation owner to iucore_owner;
comment on function iucore.fn_iu_record_validation is 'Validate a collection and record the numbers of findings.';
revoke execute on function iucore.fn_iu_record_validation from public;
grant execute on function iucore.fn_iu_record_validation to iucore_author;
