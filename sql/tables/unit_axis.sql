create table iucore.unit_axis (
    unit_id uuid not null,
    axis text collate "C" not null,
    value text collate "C" not null,
    opened_change bigint not null,
    closed_change bigint,
    constraint pk_unit_axis primary key (unit_id, axis, value, opened_change),
    constraint fk_unit_axis_unit foreign key (unit_id) references iucore.information_unit (unit_id),
    constraint fk_unit_axis_axis foreign key (axis) references iucore.axis (axis),
    constraint fk_unit_axis_opened foreign key (opened_change) references iucore.change (change_id),
    constraint fk_unit_axis_closed foreign key (closed_change) references iucore.change (change_id),
    constraint ck_unit_axis_closed check (closed_change >= opened_change)
);

create unique index uq_unit_axis_current on iucore.unit_axis (unit_id, axis, value) where closed_change is null;

alter table iucore.unit_axis owner to iucore_owner;
comment on table iucore.unit_axis is 'The values of axes on pieces over time.';
revoke all on table iucore.unit_axis from public;
grant select on table iucore.unit_axis to iucore_reader;
comment on column iucore.unit_axis.unit_id is 'The piece.';
comment on column iucore.unit_axis.axis is 'The axis.';
comment on column iucore.unit_axis.value is 'One of its values.';
comment on column iucore.unit_axis.opened_change is 'The call that set the value.';
comment on column iucore.unit_axis.closed_change is 'The call that took it away; null while it lasts.';
