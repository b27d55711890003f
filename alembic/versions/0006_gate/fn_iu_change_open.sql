create or replace function iucore.fn_iu_change_open(
    p_verb text,
    p_subject text,
    p_reason text,
    p_actor text,
    p_request_key text,
    p_arguments jsonb
)
returns table (change_id bigint, replayed jsonb)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- Records the call that is under way. With a request key that was used before for the same call, `replayed` is the
-- stored result and the caller must return it and write nothing. Internal: called by governed functions only.
-- Locks: a second session with the same request key waits here until the first ends.
-- Call it after locking the subject: the numbers of one subject's changes then follow the order of their commits.
-- The one place that asks the master gate: no function writes without coming through here. A repeated call writes
-- nothing, so that it gets its first result from behind a closed gate too; switching a gate is not stopped by one.
-- Raises: IU016, IU017, IU100, IU203.
declare
    v_digest bytea;
    v_known record;
begin
    if not iucore.fn_iu_is_name(p_reason, 2000) then
        raise exception using errcode = 'IU016', message = 'reason invalid',
            detail = format('reason: %s', coalesce(quote_literal(left(p_reason, 80)), 'null')),
            hint = 'Say why in one line of 1 to 2000 characters, without control or invisible characters.';
    end if;
    if p_actor is not null and not iucore.fn_iu_is_name(p_actor, 200) then
        raise exception using errcode = 'IU017', message = 'claimed actor invalid',
            detail = format('actor: %s', quote_literal(left(p_actor, 80))),
            hint = 'Give one line of 1 to 200 characters, or null.';
    end if;
    if p_request_key is not null then
        if not iucore.fn_iu_is_name(p_request_key, 200) then
            raise exception using errcode = 'IU017', message = 'request key invalid',
                detail = format('request key: %s', quote_literal(left(p_request_key, 80))),
                hint = 'Give one line of 1 to 200 characters, or null.';
        end if;
        -- Waits here for another session with this key, before the number is drawn: what a change refers to is then
        -- older than its number. The unique index holds the promise, the lock only the order.
        perform pg_advisory_xact_lock(hashtextextended(p_request_key, 0));
        v_digest := sha256(convert_to(
            jsonb_build_array(p_verb, session_user, p_reason, p_actor, p_arguments)::text, 'UTF8'));
    end if;

    insert into iucore.change (verb, subject, claimed_actor, reason, request_key, request_digest)
    values (p_verb, p_subject, p_actor, p_reason, p_request_key, v_digest)
    on conflict (request_key) where request_key is not null do nothing
    returning change.change_id into change_id;

    if change_id is null then
        select c.change_id, c.verb, c.subject, c.request_digest, r.result into v_known
        from iucore.change as c
        left join iucore.change_result as r on r.change_id = c.change_id
        where c.request_key = p_request_key;
        if v_known.request_digest is distinct from v_digest then
            raise exception using errcode = 'IU203', message = 'request key was used for another call',
                detail = format('request key: %s, first call: %s %s', p_request_key, v_known.verb, v_known.subject),
                hint = 'Use a new request key for a new call; repeat a key only with exactly the same arguments.';
        end if;
        change_id := v_known.change_id;
        replayed := coalesce(v_known.result, '{}');
    elsif p_verb <> 'gate_set' then
        perform iucore.fn_iu_assert_gate('master');
    end if;
    return next;
end
$$;

alter function iucore.fn_iu_change_open owner to iucore_owner;
comment on function iucore.fn_iu_change_open is 'Record the governed call that is under way, or find the result of its first try.';
revoke execute on function iucore.fn_iu_change_open from public;
