create table iucore.event_type (
    event_type text collate "C" not null,
    title text not null,
    delivery_lane text collate "C" not null,
    is_delta boolean not null,
    change_id bigint,
    constraint pk_event_type primary key (event_type),
    constraint uq_event_type_lane unique (event_type, delivery_lane),
    constraint fk_event_type_change foreign key (change_id) references iucore.change (change_id),
    constraint ck_event_type_name check (event_type ~ '^[a-z][a-z0-9_]{0,62}\.[a-z][a-z0-9_]{0,62}$'),
    constraint ck_event_type_lane check (delivery_lane in ('immediate', 'delayed')),
    -- The immediate lane keeps one event for each subject: of deltas it would keep the first and lose all others.
    constraint ck_event_type_delta check (not (is_delta and delivery_lane = 'immediate'))
);

alter table iucore.event_type owner to iucore_owner;
comment on table iucore.event_type is 'The registry of event types, each with its lane.';
revoke all on table iucore.event_type from public;
grant select on table iucore.event_type to iucore_reader, iucore_worker;
comment on column iucore.event_type.event_type is 'What it happened to, a dot, and what happened.';
comment on column iucore.event_type.title is 'What an event of this type says.';
comment on column iucore.event_type.delivery_lane is 'immediate: a fact that happens once for a subject, kept once; delayed: every event is kept.';
comment on column iucore.event_type.is_delta is 'Whether each event is a different change of its subject.';
comment on column iucore.event_type.change_id is 'The call that registered it; null for a type that came with iucore.';
