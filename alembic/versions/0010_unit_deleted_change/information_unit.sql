create table iucore.information_unit (
    unit_id uuid not null,
    address text collate "C" not null,
    kind text collate "C" not null,
    head_version bigint not null,
    head_sha256 bytea not null,
    source_unit_id uuid,
    source_version bigint,
    change_id bigint not null,
    deleted_change bigint,
    constraint pk_information_unit primary key (unit_id),
    constraint uq_information_unit_address unique (address),
    constraint fk_information_unit_change foreign key (change_id) references iucore.change (change_id),
    constraint ck_information_unit_address check (iucore.fn_iu_is_address(address)),
    constraint ck_information_unit_source check ((source_unit_id is null) = (source_version is null))
) with (fillfactor = 90);

-- No foreign key to unit_kind: each birth would lock the row of its kind, and births at once would queue for it. The gate
-- asserts the kind, and no function takes one away.

alter table iucore.information_unit owner to iucore_owner;
comment on table iucore.information_unit is 'The pieces: address, kind and where the head stands. Everything that changes is in unit_version.';
revoke all on table iucore.information_unit from public;
grant select on table iucore.information_unit to iucore_reader;
comment on column iucore.information_unit.unit_id is 'UUID version 7.';
comment on column iucore.information_unit.address is 'The name by which people and programs call the piece; never changes.';
comment on column iucore.information_unit.kind is 'Kind of piece; never changes.';
comment on column iucore.information_unit.head_version is 'Newest version. Kept here so that a render needs no search for it.';
comment on column iucore.information_unit.head_sha256 is 'Content of the newest version.';
comment on column iucore.information_unit.source_unit_id is 'The piece that this one was cloned from.';
comment on column iucore.information_unit.source_version is 'The version that this one was cloned from.';
comment on column iucore.information_unit.change_id is 'The call that gave birth to it.';
comment on column iucore.information_unit.deleted_change is 'The call that soft-deleted it; null while it is not. Kept here so that a render needs no search for it.';
