create or replace function iucore.fn_iu_kind_register(
    p_kind text,
    p_title text,
    p_description text,
    p_reason text,
    p_actor text default null,
    p_request_key text default null
)
returns table (kind text, title text, description text, change_id bigint)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- A new kind of piece. Registering the same again is the same fact and changes nothing.
-- Raises: IU011, IU016, IU017, IU029, IU100, IU203, IU206.
declare
    v_change record;
begin
    if p_kind is null or p_kind collate "C" !~ '^[a-z][a-z0-9-]{0,62}$' then
        raise exception using errcode = 'IU029', message = 'kind invalid',
            detail = format('kind: %s', coalesce(quote_literal(left(p_kind, 80)), 'null')),
            hint = 'Use a lower-case letter followed by at most 62 of a-z 0-9 -.';
    end if;
    perform iucore.fn_iu_assert_title(p_title);
    perform iucore.fn_iu_assert_title(p_description);
    select o.* into v_change
    from iucore.fn_iu_change_open('kind_register', p_kind, p_reason, p_actor, p_request_key,
        case when p_request_key is not null then jsonb_build_array(p_kind, p_title, p_description) end) as o;
    if v_change.replayed is null then
        insert into iucore.unit_kind as k (kind, title, description, change_id)
        values (p_kind, p_title, p_description, v_change.change_id)
        on conflict on constraint pk_unit_kind do nothing;
        if found then
            perform iucore.fn_iu_event_put('kind', 'registered', v_change.change_id, array[p_kind], array[p_kind],
                array[jsonb_build_object('title', p_title)]);
        end if;
        perform iucore.fn_iu_change_close(v_change.change_id, p_request_key, '{}');
    end if;
    return query
    select k.kind, k.title, k.description, k.change_id
    from iucore.unit_kind as k
    where k.kind = p_kind and k.title = p_title and k.description = p_description;
    if not found then
        raise exception using errcode = 'IU206', message = 'kind is registered with another meaning',
            detail = format('kind: %s', p_kind), hint = 'Choose another name for the kind.';
    end if;
end
$$;

alter function iucore.fn_iu_kind_register owner to iucore_owner;
comment on function iucore.fn_iu_kind_register is 'Register a kind of piece.';
revoke execute on function iucore.fn_iu_kind_register from public;
grant execute on function iucore.fn_iu_kind_register to iucore_operator;
