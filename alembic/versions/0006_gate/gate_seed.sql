insert into iucore.gate (gate, title, is_open) values
    ('master', 'Every governed write.', true),
    ('composer', 'Every change of a collection.', true),
    ('delivery', 'Sending events to other systems.', false);
