create or replace view iucore.v_collection as
select
    c.collection_id,
    c.key,
    c.kind,
    c.title,
    (
        select count(*) from iucore.collection_member as m
        where m.collection_id = c.collection_id and m.closed_change is null
    ) - (
        -- Those of soft-deleted pieces; from the few deletions, not from the members.
        select count(*) from iucore.collection_member as m
        join iucore.unit_deletion as d on d.unit_id = m.unit_id and d.restored_change is null
        where m.collection_id = c.collection_id and m.closed_change is null
    ) as members,
    c.change_id as created_change,
    c.head_change,
    g.changed_at
from iucore.collection as c
join iucore.change as g on g.change_id = c.head_change
where c.deleted_change is null;

alter view iucore.v_collection owner to iucore_owner;
comment on view iucore.v_collection is 'Every collection that is not soft-deleted.';
revoke all on table iucore.v_collection from public;
grant select on table iucore.v_collection to iucore_reader;
