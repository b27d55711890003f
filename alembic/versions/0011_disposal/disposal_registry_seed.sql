insert into iucore.event_type (event_type, title, delivery_lane, is_delta) values
    ('unit.restored', 'A soft-deleted piece was brought back.', 'delayed', true),
    ('unit.soft_deleted', 'A piece was taken out of every render.', 'delayed', true);

insert into iucore.route (route, event_type, delivery_lane, title)
select t.event_type, t.event_type, t.delivery_lane, t.title
from iucore.event_type as t
where t.event_type in ('unit.restored', 'unit.soft_deleted');
