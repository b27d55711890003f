insert into iucore.unit_kind (kind, title, description) values
    ('contract', 'Contract', 'A clause or agreement between parties.'),
    ('policy', 'Policy', 'What must or must not be done.'),
    ('procedure', 'Procedure', 'How something is done, as instructions.'),
    ('prompt', 'Prompt', 'Text that instructs a language model.'),
    ('requirement', 'Requirement', 'One thing that a product or service must fulfil.'),
    ('runbook', 'Runbook', 'What to do when an operation needs it.'),
    ('step', 'Step', 'One step of a workflow.'),
    ('text', 'Text', 'Any other text.');
