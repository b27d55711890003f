create table iucore.collection (
    collection_id uuid not null,
    key text collate "C" not null,
    kind text collate "C" not null,
    title text not null,
    head_change bigint not null,
    change_id bigint not null,
    deleted_change bigint,
    constraint pk_collection primary key (collection_id),
    constraint uq_collection_key unique (key),
    constraint fk_collection_change foreign key (change_id) references iucore.change (change_id),
    constraint fk_collection_head foreign key (head_change) references iucore.change (change_id),
    constraint ck_collection_key check (iucore.fn_iu_is_address(key)),
    constraint ck_collection_kind check (kind in ('file', 'workflow')),
    constraint ck_collection_title check (iucore.fn_iu_is_name(title, 300))
) with (fillfactor = 90);

alter table iucore.collection owner to iucore_owner;
comment on table iucore.collection is 'Ordered compositions of pieces and other collections: files and workflows.';
revoke all on table iucore.collection from public;
grant select on table iucore.collection to iucore_reader;
comment on column iucore.collection.collection_id is 'UUID version 7.';
comment on column iucore.collection.key is 'The name by which people and programs call it; never changes.';
comment on column iucore.collection.kind is 'file or workflow.';
comment on column iucore.collection.title is 'The name that people read.';
comment on column iucore.collection.head_change is 'The newest change of its composition. Each composer call writes it: two calls at REPEATABLE READ cannot both build on one state.';
comment on column iucore.collection.change_id is 'The call that created it.';
comment on column iucore.collection.deleted_change is 'The call that soft-deleted it; null while it is not.';
