create table iucore.unit_deletion (
    unit_id uuid not null,
    deleted_change bigint not null,
    restored_change bigint,
    constraint pk_unit_deletion primary key (unit_id, deleted_change),
    constraint fk_unit_deletion_unit foreign key (unit_id) references iucore.information_unit (unit_id),
    constraint fk_unit_deletion_deleted foreign key (deleted_change) references iucore.change (change_id),
    constraint fk_unit_deletion_restored foreign key (restored_change) references iucore.change (change_id),
    constraint ck_unit_deletion_restored check (restored_change > deleted_change)
);

create unique index uq_unit_deletion_current on iucore.unit_deletion (unit_id) where restored_change is null;

alter table iucore.unit_deletion owner to iucore_owner;
comment on table iucore.unit_deletion is 'From when to when a piece was soft-deleted: its memberships stand, and are not seen.';
revoke all on table iucore.unit_deletion from public;
grant select on table iucore.unit_deletion to iucore_reader;
comment on column iucore.unit_deletion.unit_id is 'The piece.';
comment on column iucore.unit_deletion.deleted_change is 'The call that deleted it.';
comment on column iucore.unit_deletion.restored_change is 'The call that restored it; null while it is deleted.';
