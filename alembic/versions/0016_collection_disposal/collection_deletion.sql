create table iucore.collection_deletion (
    collection_id uuid not null,
    deleted_change bigint not null,
    restored_change bigint,
    constraint pk_collection_deletion primary key (collection_id, deleted_change),
    constraint fk_collection_deletion_collection foreign key (collection_id)
        references iucore.collection (collection_id),
    constraint fk_collection_deletion_deleted foreign key (deleted_change) references iucore.change (change_id),
    constraint fk_collection_deletion_restored foreign key (restored_change) references iucore.change (change_id),
    constraint ck_collection_deletion_restored check (restored_change > deleted_change)
);

create unique index uq_collection_deletion_current on iucore.collection_deletion (collection_id)
    where restored_change is null;

alter table iucore.collection_deletion owner to iucore_owner;
comment on table iucore.collection_deletion is 'From when to when a collection was soft-deleted.';
revoke all on table iucore.collection_deletion from public;
grant select on table iucore.collection_deletion to iucore_reader;
comment on column iucore.collection_deletion.collection_id is 'The collection.';
comment on column iucore.collection_deletion.deleted_change is 'The call that deleted it.';
comment on column iucore.collection_deletion.restored_change is 'The call that restored it; null while it is deleted.';
