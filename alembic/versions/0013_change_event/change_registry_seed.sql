insert into iucore.event_type (event_type, title, delivery_lane, is_delta) values
    ('collection.piece_unpinned', 'A member shows the head of its piece again.', 'delayed', true),
    ('collection.piece_replaced', 'Another piece stands at the place of a member.', 'delayed', true),
    ('collection.step_set', 'A step of a workflow was named, or leads elsewhere.', 'delayed', true),
    ('collection.rebalanced', 'The ranks of a collection were spread; its order is as it was.', 'delayed', true),
    ('kind.registered', 'A kind of piece was registered.', 'immediate', false),
    ('axis.registered', 'An axis was registered.', 'immediate', false),
    ('event_type.registered', 'An event type was registered.', 'immediate', false),
    ('route.registered', 'A route was registered.', 'immediate', false),
    ('route.switched', 'A route was switched on or off.', 'delayed', true),
    ('gate.switched', 'A gate was opened or closed.', 'delayed', true);

insert into iucore.route (route, event_type, delivery_lane, title)
select t.event_type, t.event_type, t.delivery_lane, t.title
from iucore.event_type as t
where not exists (select from iucore.route as r where r.event_type = t.event_type) and t.change_id is null;
