create or replace function iucore.fn_iu_make_slots(p_table text, p_first integer)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
-- The partitions of a table that only grows: one for each quarter of a year, and 0 for rows that are kept for ever. They
-- are made once, by the migration that makes the table, and emptied in turn: nothing makes or drops a table later.
-- Internal. PostgreSQL clones no statement trigger to a partition, so each gets its own.
begin
    for v_slot in p_first..4 loop
        execute format('create table iucore.%I partition of iucore.%I for values in (%L)', p_table || '_' || v_slot, p_table,
            v_slot);
        execute format('create trigger %I before update or delete or truncate on iucore.%I '
            'for each statement execute function iucore.fn_iu_refuse_rewrite()', 'trg_' || p_table || '_append_only',
            p_table || '_' || v_slot);
        execute format('alter table iucore.%I owner to iucore_owner', p_table || '_' || v_slot);
        execute format('revoke all on table iucore.%I from public', p_table || '_' || v_slot);
        execute format('comment on table iucore.%I is %L', p_table || '_' || v_slot,
            case v_slot when 0 then 'Rows of the immediate lane.' else format('Rows of quarter %s of a year.', v_slot) end);
    end loop;
end
$$;

alter function iucore.fn_iu_make_slots owner to iucore_owner;
comment on function iucore.fn_iu_make_slots is 'Make the partitions of a table that only grows.';
revoke execute on function iucore.fn_iu_make_slots from public;
