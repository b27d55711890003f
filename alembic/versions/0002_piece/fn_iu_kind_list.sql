create or replace function iucore.fn_iu_kind_list()
returns table (kind text, title text, description text, change_id bigint)
language sql
stable
as $$
    select k.kind, k.title, k.description, k.change_id from iucore.unit_kind as k order by k.kind
$$;

alter function iucore.fn_iu_kind_list owner to iucore_owner;
comment on function iucore.fn_iu_kind_list is 'The registered kinds of pieces.';
revoke execute on function iucore.fn_iu_kind_list from public;
grant execute on function iucore.fn_iu_kind_list to iucore_reader;
