create table iucore.route (
    route text collate "C" not null,
    event_type text collate "C",
    delivery_lane text collate "C",
    title text not null,
    execution_enabled boolean not null default false,
    change_id bigint,
    switched_change bigint,
    constraint pk_route primary key (route),
    -- With the lane: a route stands on the lane of its type.
    constraint fk_route_type foreign key (event_type, delivery_lane)
        references iucore.event_type (event_type, delivery_lane),
    constraint fk_route_change foreign key (change_id) references iucore.change (change_id),
    constraint fk_route_switched foreign key (switched_change) references iucore.change (change_id),
    constraint ck_route_type check ((event_type is null) = (delivery_lane is null)),
    constraint ck_route_name check (route ~ '^[a-z][a-z0-9_]{0,62}(\.[a-z][a-z0-9_]{0,62})*$')
);

create index idx_route_type on iucore.route (event_type);

alter table iucore.route owner to iucore_owner;
comment on table iucore.route is 'The registry of routes: where events of a type go.';
revoke all on table iucore.route from public;
grant select on table iucore.route to iucore_reader, iucore_worker;
comment on column iucore.route.route is 'Name of the route.';
comment on column iucore.route.event_type is 'The type whose events take it; null when all do.';
comment on column iucore.route.delivery_lane is 'The lane of the type; null for a route of all.';
comment on column iucore.route.title is 'What the route is for.';
comment on column iucore.route.execution_enabled is 'Whether it may send; every route is born switched off.';
comment on column iucore.route.change_id is 'The call that registered it; null for a route that came with iucore.';
comment on column iucore.route.switched_change is 'The call that switched it last; null when it was never switched.';
