create or replace function iucore.fn_iu_assert_label_free(p_collection_id uuid, p_label text, p_member_id bigint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- Internal; the caller holds the lock on the collection. Raises: IU207.
begin
    if exists (
        select from iucore.collection_member as m
        where m.collection_id = p_collection_id and m.label = p_label and m.closed_change is null
            and m.member_id is distinct from p_member_id
    ) then
        raise exception using errcode = 'IU207', message = 'label taken', detail = format('label: %s', p_label),
            hint = 'Choose another label, or change that of the other step first with fn_iu_step_set.';
    end if;
end
$$;

alter function iucore.fn_iu_assert_label_free owner to iucore_owner;
comment on function iucore.fn_iu_assert_label_free is 'Refuse a label that another step of the workflow has.';
revoke execute on function iucore.fn_iu_assert_label_free from public;
