create table iucore.axis (
    axis text collate "C" not null,
    title text not null,
    rule text collate "C" not null,
    axis_values text[],
    change_id bigint not null,
    constraint pk_axis primary key (axis),
    constraint fk_axis_change foreign key (change_id) references iucore.change (change_id),
    constraint ck_axis_name check (axis ~ '^[a-z][a-z0-9_-]{0,62}$'),
    constraint ck_axis_rule check (rule in ('union', 'intersection', 'highest', 'latest')),
    constraint ck_axis_highest check (rule <> 'highest' or axis_values is not null)
);

alter table iucore.axis owner to iucore_owner;
comment on table iucore.axis is 'The registry of axes: dimensions of metadata on pieces, derived on collections.';
revoke all on table iucore.axis from public;
grant select on table iucore.axis to iucore_reader;
comment on column iucore.axis.axis is 'Name of the axis.';
comment on column iucore.axis.title is 'The name that people read.';
comment on column iucore.axis.rule is 'How a collection derives its values from its pieces: union, intersection, highest or latest.';
comment on column iucore.axis.axis_values is 'The allowed values, lowest first; null for any value.';
comment on column iucore.axis.change_id is 'The call that registered it.';
