create table iucore.unit_version (
    unit_id uuid not null,
    version bigint not null,
    content_sha256 bytea not null,
    title text not null,
    lifecycle text not null,
    attributes jsonb not null,
    change_id bigint not null,
    constraint pk_unit_version primary key (unit_id, version),
    constraint fk_unit_version_unit foreign key (unit_id) references iucore.information_unit (unit_id),
    constraint fk_unit_version_content foreign key (content_sha256) references iucore.unit_content (content_sha256),
    constraint fk_unit_version_change foreign key (change_id) references iucore.change (change_id),
    constraint ck_unit_version_number check (version >= 1),
    constraint ck_unit_version_title check (iucore.fn_iu_is_name(title, 300)),
    constraint ck_unit_version_lifecycle check (lifecycle in ('draft', 'active', 'retired')),
    constraint ck_unit_version_attributes check (iucore.fn_iu_is_attributes(attributes))
);

-- Finds pieces by what they say: reuse while cutting, and the ledger of one content.
create index idx_unit_version_content on iucore.unit_version (content_sha256);

-- Stands here because information_unit comes first. The head has no such constraint: a circle would be checked twice
-- at each birth; the governed functions set both sides in one call, and validation looks for a head that is missing.
alter table iucore.information_unit
    add constraint fk_information_unit_source foreign key (source_unit_id, source_version)
    references iucore.unit_version (unit_id, version);

alter table iucore.unit_version owner to iucore_owner;
comment on table iucore.unit_version is 'Every version of every piece; rows are never changed.';
revoke all on table iucore.unit_version from public;
grant select on table iucore.unit_version to iucore_reader;
comment on column iucore.unit_version.unit_id is 'The piece.';
comment on column iucore.unit_version.version is 'Counts from 1 within the piece.';
comment on column iucore.unit_version.content_sha256 is 'What it says.';
comment on column iucore.unit_version.title is 'The name that people read.';
comment on column iucore.unit_version.lifecycle is 'draft, active or retired.';
comment on column iucore.unit_version.attributes is 'What else its owners keep with it: a JSON object.';
comment on column iucore.unit_version.change_id is 'The call that made it.';
