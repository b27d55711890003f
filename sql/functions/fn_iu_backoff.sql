create or replace function iucore.fn_iu_backoff(p_first_ms integer, p_cap_ms integer, p_failures integer)
returns interval
language sql
volatile
as $$
    -- How long to wait after so many failures: a random part of a limit that doubles with each (full jitter). Internal.
    select random() * least(p_cap_ms, p_first_ms * 2.0 ^ least(p_failures - 1, 30)) * interval '1 millisecond'
$$;

alter function iucore.fn_iu_backoff owner to iucore_owner;
comment on function iucore.fn_iu_backoff is 'How long to wait after so many failures.';
revoke execute on function iucore.fn_iu_backoff from public;
