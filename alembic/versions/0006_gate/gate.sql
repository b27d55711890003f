create table iucore.gate (
    gate text collate "C" not null,
    title text not null,
    is_open boolean not null,
    change_id bigint,
    constraint pk_gate primary key (gate),
    constraint fk_gate_change foreign key (change_id) references iucore.change (change_id)
);

alter table iucore.gate owner to iucore_owner;
comment on table iucore.gate is 'The switches that refuse, as they stand now.';
revoke all on table iucore.gate from public;
grant select on table iucore.gate to iucore_reader, iucore_worker;
comment on column iucore.gate.gate is 'master, composer or delivery.';
comment on column iucore.gate.title is 'What it lets through while it is open.';
comment on column iucore.gate.is_open is 'Whether it lets anything through now.';
comment on column iucore.gate.change_id is 'The call that switched it last; null when it stands as it came with iucore.';
