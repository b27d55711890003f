create table iucore.route_setting (
    change_id bigint not null,
    route text collate "C" not null,
    transport text collate "C",
    target jsonb not null,
    networks text[] not null,
    subject_prefix text collate "C",
    axis text collate "C",
    axis_value text collate "C",
    ordered boolean not null,
    partitions smallint not null,
    max_attempts smallint not null,
    backoff_ms integer not null,
    backoff_cap_ms integer not null,
    constraint pk_route_setting primary key (change_id),
    constraint fk_route_setting_change foreign key (change_id) references iucore.change (change_id),
    constraint fk_route_setting_route foreign key (route) references iucore.route (route),
    constraint fk_route_setting_axis foreign key (axis) references iucore.axis (axis),
    constraint ck_route_setting_axis check ((axis is null) = (axis_value is null)),
    constraint ck_route_setting_numbers check (
        -- Not "between": a restore would print it otherwise.
        partitions >= 1 and partitions <= 64 and max_attempts >= 1 and max_attempts <= 100
        and backoff_ms >= 1 and backoff_ms <= backoff_cap_ms and backoff_cap_ms <= 86400000
    )
);

create index idx_route_setting_route on iucore.route_setting (route, change_id);

create trigger trg_route_setting_append_only before update or delete or truncate on iucore.route_setting
    for each statement execute function iucore.fn_iu_refuse_rewrite();

alter table iucore.route_setting owner to iucore_owner;
comment on table iucore.route_setting is 'How a route delivers, over time; the newest row counts.';
comment on trigger trg_route_setting_append_only on iucore.route_setting is 'Settings are never altered: a new one is appended.';
revoke all on table iucore.route_setting from public;
grant select on table iucore.route_setting to iucore_gatekeeper, iucore_worker;
comment on column iucore.route_setting.change_id is 'The call that set it.';
comment on column iucore.route_setting.route is 'The route.';
comment on column iucore.route_setting.transport is 'The transport; null: nothing can be sent.';
comment on column iucore.route_setting.target is 'Where to, for the transport. No secrets: names of environment variables of the worker.';
comment on column iucore.route_setting.networks is 'Networks in CIDR that the transport may reach although they are private.';
comment on column iucore.route_setting.subject_prefix is 'Only events whose subject begins so.';
comment on column iucore.route_setting.axis is 'Only events of pieces and collections that have a value on this axis, when they are read.';
comment on column iucore.route_setting.axis_value is 'The value.';
comment on column iucore.route_setting.ordered is 'Whether a failing event holds back the later events of its subject.';
comment on column iucore.route_setting.partitions is 'Over how many workers at most the route is spread, by subject.';
comment on column iucore.route_setting.max_attempts is 'After so many attempts an event is a dead letter.';
comment on column iucore.route_setting.backoff_ms is 'Milliseconds: the longest wait after the first failure; doubled with each.';
comment on column iucore.route_setting.backoff_cap_ms is 'Milliseconds: the longest wait at all.';
