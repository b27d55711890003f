create or replace function iucore.fn_iu_record_render(
    p_key text,
    p_reason text,
    p_actor text default null,
    p_request_key text default null
)
returns table (
    key text,
    sha256 text,
    byte_length bigint,
    pieces bigint,
    head_change bigint,
    change_id bigint,
    body text
)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Renders a collection as fn_iu_render does, and records that it did: the sha256 of the text goes out with the event, so
-- that a copy elsewhere can be compared with it. A repeated call returns what was recorded; the body is null when the text as
-- of then is another now, since a change with a lower number was committed later.
-- Locks: the row of the collection.
-- Raises: IU003, IU016, IU017, IU026, IU033, IU100, IU101, IU203.
declare
    v_open record;
    v_head bigint;
    v_result jsonb;
begin
    select o.* into v_open
    from iucore.fn_iu_composer_open('record_render', p_key, p_reason, p_actor, p_request_key,
        jsonb_build_array(p_key)) as o;
    if v_open.replayed is null then
        body := iucore.fn_iu_render(p_key);
        select c.head_change into v_head from iucore.collection as c where c.collection_id = v_open.collection_id;
        select jsonb_build_object('sha256', encode(sha256(convert_to(body, 'UTF8')), 'hex'),
            'bytes', octet_length(body), 'pieces', m.pieces, 'head_change', v_head)
        into v_result
        from iucore.fn_iu_collection_measure(v_open.collection_id, null, p_bytes => false) as m;
        perform iucore.fn_iu_composer_emit('rendered', v_open.collection_id, p_key, v_open.change_id, v_result);
        perform iucore.fn_iu_change_close(v_open.change_id, p_request_key, v_result);
    else
        v_result := v_open.replayed;
        body := iucore.fn_iu_render(p_key, v_open.change_id);
        if encode(sha256(convert_to(body, 'UTF8')), 'hex') <> v_result ->> 'sha256' then
            body := null;
        end if;
    end if;
    key := p_key;
    sha256 := v_result ->> 'sha256';
    byte_length := (v_result ->> 'bytes')::bigint;
    pieces := (v_result ->> 'pieces')::bigint;
    head_change := (v_result ->> 'head_change')::bigint;
    change_id := v_open.change_id;
    return next;
end
$$;

alter function iucore.fn_iu_record_render owner to iucore_owner;
comment on function iucore.fn_iu_record_render is 'Render a collection and record the sha256 of its text.';
revoke execute on function iucore.fn_iu_record_render from public;
grant execute on function iucore.fn_iu_record_render to iucore_author;
