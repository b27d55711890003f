-- A piece is born once: its birth is a fact of the immediate lane. All else are deltas, each kept.
insert into iucore.event_type (event_type, title, delivery_lane, is_delta) values
    ('unit.created', 'A piece was born.', 'immediate', false),
    ('unit.cloned', 'A piece was born as a clone of another.', 'immediate', false),
    ('unit.edited', 'A piece has a new version.', 'delayed', true),
    ('unit.lifecycle_set', 'A piece became a draft or active.', 'delayed', true),
    ('unit.retired', 'A piece was retired.', 'delayed', true),
    ('unit.axes_set', 'The values of an axis of a piece were set.', 'delayed', true);

insert into iucore.route (route, event_type, delivery_lane, title)
select t.event_type, t.event_type, t.delivery_lane, t.title
from iucore.event_type as t
where t.event_type like 'unit.%'
    and not exists (select from iucore.route as r where r.event_type = t.event_type);
