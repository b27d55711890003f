insert into iucore.event_type (event_type, title, delivery_lane, is_delta) values
    ('collection.soft_deleted', 'A collection was taken out of every list.', 'delayed', true),
    ('collection.restored', 'A soft-deleted collection was brought back.', 'delayed', true);

insert into iucore.route (route, event_type, delivery_lane, title)
select t.event_type, t.event_type, t.delivery_lane, t.title
from iucore.event_type as t
where t.event_type in ('collection.soft_deleted', 'collection.restored');
