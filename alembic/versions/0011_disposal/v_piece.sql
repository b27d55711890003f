create or replace view iucore.v_piece as
select
    u.unit_id,
    u.address,
    u.kind,
    u.head_version,
    v.title,
    case when u.deleted_change is null then v.lifecycle else 'soft_deleted' end as lifecycle,
    v.attributes,
    encode(u.head_sha256, 'hex') as content_sha256,
    c.byte_length,
    v.change_id,
    g.changed_at
from iucore.information_unit as u
join iucore.unit_version as v on v.unit_id = u.unit_id and v.version = u.head_version
join iucore.unit_content as c on c.content_sha256 = u.head_sha256
join iucore.change as g on g.change_id = v.change_id;

alter view iucore.v_piece owner to iucore_owner;
comment on view iucore.v_piece is 'Every piece as its head stands, without the body.';
revoke all on table iucore.v_piece from public;
grant select on table iucore.v_piece to iucore_reader;
