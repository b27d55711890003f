create table iucore.collection_member (
    row_id bigint generated always as identity,
    member_id bigint not null,
    collection_id uuid not null,
    rank text collate "C" not null,
    unit_id uuid,
    child_id uuid,
    pinned_version bigint,
    label text collate "C",
    transitions jsonb,
    opened_change bigint not null,
    closed_change bigint,
    constraint pk_collection_member primary key (row_id),
    constraint fk_collection_member_collection foreign key (collection_id)
        references iucore.collection (collection_id),
    constraint fk_collection_member_unit foreign key (unit_id) references iucore.information_unit (unit_id),
    constraint fk_collection_member_child foreign key (child_id) references iucore.collection (collection_id),
    constraint fk_collection_member_pin foreign key (unit_id, pinned_version)
        references iucore.unit_version (unit_id, version),
    constraint fk_collection_member_opened foreign key (opened_change) references iucore.change (change_id),
    constraint fk_collection_member_closed foreign key (closed_change) references iucore.change (change_id),
    constraint ck_collection_member_subject check (num_nonnulls(unit_id, child_id) = 1),
    constraint ck_collection_member_pin check (pinned_version is null or unit_id is not null),
    constraint ck_collection_member_closed check (closed_change >= opened_change)
);

-- The current composition, in order.
create unique index uq_collection_member_rank on iucore.collection_member (collection_id, rank)
    where closed_change is null;
create unique index uq_collection_member_current on iucore.collection_member (member_id)
    where closed_change is null;
create unique index uq_collection_member_label on iucore.collection_member (collection_id, label)
    where closed_change is null and label is not null;
-- The past: what stood in a collection before a change closed it.
create index idx_collection_member_closed on iucore.collection_member (collection_id, closed_change)
    where closed_change is not null;
-- Whether a collection has nested ones, now or in the past.
create index idx_collection_member_nested on iucore.collection_member (collection_id) where child_id is not null;
-- Where used.
create index idx_collection_member_unit on iucore.collection_member (unit_id)
    where closed_change is null and unit_id is not null;
create index idx_collection_member_child on iucore.collection_member (child_id)
    where closed_change is null and child_id is not null;

create sequence iucore.collection_member_id as bigint owned by iucore.collection_member.member_id;

alter table iucore.collection_member owner to iucore_owner;
comment on table iucore.collection_member is 'Memberships over time: a row is opened by one change and closed by another, never altered.';
revoke all on table iucore.collection_member from public;
grant select on table iucore.collection_member to iucore_reader;
comment on sequence iucore.collection_member_id is 'Numbers of memberships.';
revoke all on sequence iucore.collection_member_id from public;
comment on column iucore.collection_member.row_id is 'One state of a membership.';
comment on column iucore.collection_member.member_id is 'The membership: stays the same when it is moved, pinned or replaced.';
comment on column iucore.collection_member.collection_id is 'The collection.';
comment on column iucore.collection_member.rank is 'Fractional key of its place; compare as bytes.';
comment on column iucore.collection_member.unit_id is 'The piece that stands here.';
comment on column iucore.collection_member.child_id is 'The collection that stands here.';
comment on column iucore.collection_member.pinned_version is 'The version of the piece that is shown; null for the head.';
comment on column iucore.collection_member.label is 'Name of a step in a workflow.';
comment on column iucore.collection_member.transitions is 'Where a step leads: an array of {"on", "to"}; null for on to the next.';
comment on column iucore.collection_member.opened_change is 'The call that made this state.';
comment on column iucore.collection_member.closed_change is 'The call that ended it; null while it lasts.';
