create table iucore.delivery_retry (
    route text collate "C" not null,
    position bigint not null,
    partition smallint not null,
    subject text collate "C" not null,
    state text collate "C" not null,
    attempts smallint not null,
    next_at timestamptz not null,
    error text,
    constraint pk_delivery_retry primary key (route, position),
    constraint fk_delivery_retry_route foreign key (route) references iucore.route (route),
    constraint ck_delivery_retry_state check (state in ('failed', 'lost', 'deferred', 'replay'))
);

create index idx_delivery_retry_due on iucore.delivery_retry (route, partition, next_at);
create index idx_delivery_retry_subject on iucore.delivery_retry (route, subject, position);

alter table iucore.delivery_retry owner to iucore_owner;
comment on table iucore.delivery_retry is 'What is to be sent again: the one table of delivery whose rows are altered and deleted.';
revoke all on table iucore.delivery_retry from public;
grant select on table iucore.delivery_retry to iucore_reader, iucore_worker;
comment on column iucore.delivery_retry.route is 'The route.';
comment on column iucore.delivery_retry.position is 'The event.';
comment on column iucore.delivery_retry.partition is 'The part of the route.';
comment on column iucore.delivery_retry.subject is 'The subject of the event.';
comment on column iucore.delivery_retry.state is 'failed; lost: handed out alone, since it may have killed a worker; deferred: an earlier event of its subject comes first; replay: a gatekeeper asked.';
comment on column iucore.delivery_retry.attempts is 'How many were made.';
comment on column iucore.delivery_retry.next_at is 'Not before.';
comment on column iucore.delivery_retry.error is 'Why the last one failed.';
