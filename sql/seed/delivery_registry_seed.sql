insert into iucore.event_type (event_type, title, delivery_lane, is_delta) values
    ('route.configured', 'How a route delivers was set.', 'delayed', true),
    ('route.replayed', 'Events of a route are sent again.', 'delayed', true),
    ('route.skipped', 'Events of a route were given up.', 'delayed', true),
    ('delivery.pruned', 'Old events were taken out of the database.', 'delayed', true);

insert into iucore.route (route, event_type, delivery_lane, title)
select t.event_type, t.event_type, t.delivery_lane, t.title
from iucore.event_type as t
where t.event_type in ('route.configured', 'route.replayed', 'route.skipped', 'delivery.pruned');
