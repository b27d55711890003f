create table iucore.dead_letter (
    dead_letter bigint generated always as identity not null,
    route text collate "C" not null,
    position bigint not null,
    event_id uuid not null,
    event_type text collate "C" not null,
    subject text collate "C" not null,
    attempts smallint not null,
    reason text not null,
    made_at timestamptz not null default clock_timestamp(),
    closed_change bigint,
    constraint pk_dead_letter primary key (dead_letter),
    constraint fk_dead_letter_route foreign key (route) references iucore.route (route),
    constraint fk_dead_letter_closed foreign key (closed_change) references iucore.change (change_id)
);

create index idx_dead_letter_open on iucore.dead_letter (route, position) where closed_change is null;

alter table iucore.dead_letter owner to iucore_owner;
comment on table iucore.dead_letter is 'Events that a route gave up after the last attempt.';
revoke all on table iucore.dead_letter from public;
grant select on table iucore.dead_letter to iucore_worker;
comment on column iucore.dead_letter.dead_letter is 'Its number.';
comment on column iucore.dead_letter.route is 'The route.';
comment on column iucore.dead_letter.position is 'The event.';
comment on column iucore.dead_letter.event_id is 'Its id.';
comment on column iucore.dead_letter.event_type is 'Its type.';
comment on column iucore.dead_letter.subject is 'Its subject.';
comment on column iucore.dead_letter.attempts is 'How many were made.';
comment on column iucore.dead_letter.reason is 'Why the last one failed.';
comment on column iucore.dead_letter.made_at is 'When it was given up.';
comment on column iucore.dead_letter.closed_change is 'The call that replayed or skipped it; null while it is open.';
