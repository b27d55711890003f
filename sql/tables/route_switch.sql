create table iucore.route_switch (
    change_id bigint not null,
    route text collate "C" not null,
    execution_enabled boolean not null,
    constraint pk_route_switch primary key (change_id),
    constraint fk_route_switch_change foreign key (change_id) references iucore.change (change_id),
    constraint fk_route_switch_route foreign key (route) references iucore.route (route)
);

alter table iucore.route_switch owner to iucore_owner;
comment on table iucore.route_switch is 'Every switch of a route; the call says who, when and why.';
revoke all on table iucore.route_switch from public;
grant select on table iucore.route_switch to iucore_reader;
comment on column iucore.route_switch.change_id is 'The call that switched it.';
comment on column iucore.route_switch.route is 'Which route.';
comment on column iucore.route_switch.execution_enabled is 'What it became.';
