create table iucore.collection_axis (
    collection_id uuid not null,
    axis text collate "C" not null,
    value text collate "C" not null,
    opened_change bigint not null,
    closed_change bigint,
    constraint pk_collection_axis primary key (collection_id, axis, value, opened_change),
    constraint fk_collection_axis_collection foreign key (collection_id) references iucore.collection (collection_id),
    constraint fk_collection_axis_axis foreign key (axis) references iucore.axis (axis),
    constraint fk_collection_axis_opened foreign key (opened_change) references iucore.change (change_id),
    constraint fk_collection_axis_closed foreign key (closed_change) references iucore.change (change_id),
    constraint ck_collection_axis_closed check (closed_change >= opened_change)
);

create unique index uq_collection_axis_current on iucore.collection_axis (collection_id, axis, value) where closed_change is null;

alter table iucore.collection_axis owner to iucore_owner;
comment on table iucore.collection_axis is 'The derived values of axes on collections over time, as of the last refresh.';
revoke all on table iucore.collection_axis from public;
grant select on table iucore.collection_axis to iucore_reader;
comment on column iucore.collection_axis.collection_id is 'The collection.';
comment on column iucore.collection_axis.axis is 'The axis.';
comment on column iucore.collection_axis.value is 'One of its values.';
comment on column iucore.collection_axis.opened_change is 'The call that set the value.';
comment on column iucore.collection_axis.closed_change is 'The call that took it away; null while it lasts.';
