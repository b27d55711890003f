create or replace function iucore.fn_iu_change_close(p_change_id bigint, p_request_key text, p_result jsonb)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- Keeps the result of a call that has a request key. Internal.
begin
    if p_request_key is not null then
        insert into iucore.change_result (change_id, result) values (p_change_id, p_result);
    end if;
end
$$;

alter function iucore.fn_iu_change_close owner to iucore_owner;
comment on function iucore.fn_iu_change_close is 'Keep the result of a call that has a request key.';
revoke execute on function iucore.fn_iu_change_close from public;
