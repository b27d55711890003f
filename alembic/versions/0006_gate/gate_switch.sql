create table iucore.gate_switch (
    change_id bigint not null,
    gate text collate "C" not null,
    is_open boolean not null,
    constraint pk_gate_switch primary key (change_id),
    constraint fk_gate_switch_change foreign key (change_id) references iucore.change (change_id),
    constraint fk_gate_switch_gate foreign key (gate) references iucore.gate (gate)
);

alter table iucore.gate_switch owner to iucore_owner;
comment on table iucore.gate_switch is 'Every switch of a gate; the call says who, when and why.';
revoke all on table iucore.gate_switch from public;
grant select on table iucore.gate_switch to iucore_reader;
comment on column iucore.gate_switch.change_id is 'The call that switched it.';
comment on column iucore.gate_switch.gate is 'Which gate.';
comment on column iucore.gate_switch.is_open is 'What it became.';
