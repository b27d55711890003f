create or replace function iucore.fn_iu_axis_list()
returns table (axis text, title text, rule text, axis_values text[], change_id bigint)
language sql
stable
as $$
    select a.axis, a.title, a.rule, a.axis_values, a.change_id from iucore.axis as a order by a.axis
$$;

alter function iucore.fn_iu_axis_list owner to iucore_owner;
comment on function iucore.fn_iu_axis_list is 'The registered axes.';
revoke execute on function iucore.fn_iu_axis_list from public;
grant execute on function iucore.fn_iu_axis_list to iucore_reader;
