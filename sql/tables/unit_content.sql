create table iucore.unit_content (
    content_sha256 bytea not null,
    byte_length integer not null,
    body text collate "C" not null,
    constraint pk_unit_content primary key (content_sha256),
    constraint ck_unit_content_sha256 check (octet_length(content_sha256) = 32),
    constraint ck_unit_content_length check (byte_length = octet_length(body) and byte_length <= iucore.fn_iu_limit('body_bytes'))
);

-- lz4 where the server was built with it; the fingerprint leaves compression out, since it depends on the build.
do $$
begin
    if exists (
        select from pg_catalog.pg_settings s
        where s.name = 'default_toast_compression' and 'lz4' = any (s.enumvals)
    ) then
        alter table iucore.unit_content alter column body set compression lz4;
    end if;
end
$$;

alter table iucore.unit_content owner to iucore_owner;
comment on table iucore.unit_content is 'The bodies of versions, once per distinct sha256; rows are never changed.';
revoke all on table iucore.unit_content from public;
grant select on table iucore.unit_content to iucore_reader;
comment on column iucore.unit_content.content_sha256 is 'sha256 of the body in UTF-8.';
comment on column iucore.unit_content.byte_length is 'Bytes of the body in UTF-8.';
comment on column iucore.unit_content.body is 'The text, exactly as it came.';
