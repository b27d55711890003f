create or replace function iucore.fn_iu_ledger_head()
returns table ("position" bigint, hash bytea, events bigint, sequenced_position bigint, sequenced_hash bytea,
    anchor_position bigint)
language sql
stable
as $$
    -- The end of the ledger as it stands, how many events it holds, and the end as the sequencer remembers it: they differ
    -- when a tail was cut. 0 and the empty hash before the first event. Counts, so that it reads the whole ledger.
    select coalesce(l.position, 0), coalesce(l.hash, ''), (select count(*) from iucore.event_log),
        coalesce(b.position, 0), coalesce(b.hash, ''), a.position
    from (values (1)) as one (n)
    left join lateral (select x.position, x.hash from iucore.ledger_anchor as x order by x.position desc limit 1) as a on true
    left join lateral (
        -- Facts of the immediate lane outlive their anchor.
        select u.position, u.hash
        from (
            (select e.position, e.hash from iucore.event_log as e order by e.position desc limit 1)
            union all
            select a.position, a.hash
        ) as u
        order by u.position desc nulls last
        limit 1
    ) as l on true
    left join lateral (select q.position, q.hash from iucore.sequencer_batch as q order by q.batch desc limit 1) as b on true
$$;

alter function iucore.fn_iu_ledger_head owner to iucore_owner;
comment on function iucore.fn_iu_ledger_head is 'The end of the ledger.';
revoke execute on function iucore.fn_iu_ledger_head from public;
grant execute on function iucore.fn_iu_ledger_head to iucore_auditor;
