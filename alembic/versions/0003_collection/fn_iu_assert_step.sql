create or replace function iucore.fn_iu_assert_step(p_kind text, p_label text, p_transitions jsonb)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
-- Raises: IU022.
declare
    v_detail text;
begin
    if p_label is null and p_transitions is null then
        return;
    elsif p_kind <> 'workflow' then
        v_detail := 'only a workflow has labels and transitions';
    elsif p_label is not null and (p_label !~ '^[a-z][a-z0-9_-]{0,62}$' or p_label in ('next', 'end')) then
        v_detail := format('label: %s', quote_literal(left(p_label, 80)));
    elsif p_transitions is not null and (
        jsonb_typeof(p_transitions) <> 'array'
        or jsonb_array_length(p_transitions) > 50
        or exists (
            select from jsonb_array_elements(p_transitions) as t (item)
            where jsonb_typeof(t.item) <> 'object'
                or coalesce(t.item ->> 'to', '') !~ '^[a-z][a-z0-9_-]{0,62}$'
                or not iucore.fn_iu_is_name(t.item ->> 'on', 100)
                or t.item - array['on', 'to'] <> '{}'
        )
    ) then
        v_detail := format('transitions: %s', left(p_transitions::text, 200));
    end if;
    if v_detail is not null then
        raise exception using errcode = 'IU022', message = 'step invalid', detail = v_detail,
            hint = 'A label is a lower-case letter followed by a-z 0-9 _ -, but not "next" or "end"; transitions are an '
                'array of at most 50 {"on": outcome, "to": label | "next" | "end"}.';
    end if;
end
$$;

alter function iucore.fn_iu_assert_step owner to iucore_owner;
comment on function iucore.fn_iu_assert_step is 'Refuse a malformed label or transitions of a step.';
revoke execute on function iucore.fn_iu_assert_step from public;
