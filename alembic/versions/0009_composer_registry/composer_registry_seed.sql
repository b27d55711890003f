-- The composer family. Each of its events is a different change of the same collection: all stand on the delayed lane,
-- which keeps every one of them. Their routes are switched off.
insert into iucore.event_type (event_type, title, delivery_lane, is_delta) values
    ('collection.created', 'A collection was created.', 'delayed', true),
    ('collection.piece_added', 'A piece or a collection was put into a collection.', 'delayed', true),
    ('collection.piece_removed', 'A piece or a collection was taken out of a collection.', 'delayed', true),
    ('collection.piece_reordered', 'A member was moved to another place.', 'delayed', true),
    ('collection.validated', 'A collection was validated, and the findings were counted.', 'delayed', true),
    ('collection.rendered', 'A collection was rendered, and the sha256 of its text was recorded.', 'delayed', true),
    ('collection.axes_refreshed', 'The axes of a collection were derived anew.', 'delayed', true),
    ('collection.piece_pinned', 'A member was pinned to a version.', 'delayed', true);

insert into iucore.route (route, event_type, delivery_lane, title)
select t.event_type, t.event_type, t.delivery_lane, t.title
from iucore.event_type as t
where t.event_type like 'collection.%';
