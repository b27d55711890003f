create table iucore.unit_kind (
    kind text collate "C" not null,
    title text not null,
    description text not null,
    change_id bigint,
    constraint pk_unit_kind primary key (kind),
    constraint fk_unit_kind_change foreign key (change_id) references iucore.change (change_id),
    constraint ck_unit_kind_name check (kind collate "C" ~ '^[a-z][a-z0-9-]{0,62}$')
);

alter table iucore.unit_kind owner to iucore_owner;
comment on table iucore.unit_kind is 'The registry of kinds of pieces.';
revoke all on table iucore.unit_kind from public;
grant select on table iucore.unit_kind to iucore_reader;
comment on column iucore.unit_kind.kind is 'Name of the kind.';
comment on column iucore.unit_kind.title is 'The name that people read.';
comment on column iucore.unit_kind.description is 'What a piece of this kind is.';
comment on column iucore.unit_kind.change_id is 'The call that registered it; null for a kind that came with iucore.';
