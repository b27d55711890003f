-- dot_iu_add_piece: Put a piece at a place of a collection.
--   key: "onboarding"
--   member: "policies/leave"
--   reason: "a step before"
--   at: "before"
--   anchor: "policies/leave-de"
--   version: 1
--   label: "start"
--   transitions: [{"on": "it's read", "to": "read"}]
-- digest: sha256 f478bcdc4d1ab1fdff9c7ea04d8f0685184d3ea28982f1cff57fd76335cbccea
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_collection_add(p_key => 'onboarding', p_member => 'policies/leave', p_reason => 'a step before', p_at => 'before', p_anchor => 'policies/leave-de', p_version => 1, p_label => 'start', p_transitions => '[{"on": "it''s read", "to": "read"}]');
commit;
