create table iucore.ledger_anchor (
    position bigint not null,
    hash bytea not null,
    change_id bigint not null,
    constraint pk_ledger_anchor primary key (position),
    constraint fk_ledger_anchor_change foreign key (change_id) references iucore.change (change_id)
);

create trigger trg_ledger_anchor_append_only before update or delete or truncate on iucore.ledger_anchor
    for each statement execute function iucore.fn_iu_refuse_rewrite();

alter table iucore.ledger_anchor owner to iucore_owner;
comment on table iucore.ledger_anchor is 'The end of each run of positions that was pruned; verification goes on from its hash.';
comment on trigger trg_ledger_anchor_append_only on iucore.ledger_anchor is 'Anchors are never altered.';
revoke all on table iucore.ledger_anchor from public;
grant select on table iucore.ledger_anchor to iucore_reader, iucore_worker;
comment on column iucore.ledger_anchor.position is 'The last position of the run.';
comment on column iucore.ledger_anchor.hash is 'Its hash.';
comment on column iucore.ledger_anchor.change_id is 'The call that pruned.';
