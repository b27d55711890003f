insert into iucore.event_type (event_type, title, delivery_lane, is_delta) values
    ('delivery.rebased', 'The ledger goes on in another cluster.', 'delayed', true);

insert into iucore.route (route, event_type, delivery_lane, title)
select t.event_type, t.event_type, t.delivery_lane, t.title
from iucore.event_type as t
where t.event_type = 'delivery.rebased';
