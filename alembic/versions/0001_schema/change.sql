create table iucore.change (
    change_id bigint generated always as identity,
    verb text not null,
    subject text collate "C",
    actor text not null default session_user,
    claimed_actor text,
    reason text not null,
    request_key text collate "C",
    request_digest bytea,
    -- Drawn under the subject's lock, so that within one subject it never runs against the order of commits.
    changed_at timestamptz not null default clock_timestamp(),
    constraint pk_change primary key (change_id),
    constraint ck_change_request check ((request_key is null) = (request_digest is null))
);

create unique index uq_change_request_key on iucore.change (request_key) where request_key is not null;
create index idx_change_moment on iucore.change (changed_at);

alter table iucore.change owner to iucore_owner;
comment on table iucore.change is 'One row per governed call: who, when, why.';
revoke all on table iucore.change from public;
grant select on table iucore.change to iucore_reader;
comment on column iucore.change.change_id is 'Position of the call; the rows that it opened or closed name it.';
comment on column iucore.change.verb is 'The governed function, without its prefix.';
comment on column iucore.change.subject is 'Address or key that the call was about; null for a call about many.';
comment on column iucore.change.actor is 'The session user: proven by the connection.';
comment on column iucore.change.claimed_actor is 'Whom the caller says it acts for: claimed, not proven.';
comment on column iucore.change.reason is 'Why, in the words of the caller.';
comment on column iucore.change.request_key is 'Key of the caller: repeating it returns the first result and writes nothing.';
comment on column iucore.change.request_digest is 'sha256 of the call, so that one key cannot stand for two calls.';
comment on column iucore.change.changed_at is 'When the call was made.';
