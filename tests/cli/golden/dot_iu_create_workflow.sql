-- dot_iu_create_workflow: Make a workflow: a collection whose members are steps that lead to one another.
--   key: "onboarding"
--   title: "Onboarding"
--   reason: "new"
--   members: "[{\"piece\": \"policies/leave-de\", \"label\":"... (95 bytes, sha256 9c46e5b735bec006f585975cde6aa257713e839deffa3420d2ed75341c031a25)
-- digest: sha256 e50bad159c2cf27627aa02a2a81c28ca02fb0c5dc08135d071eb4cae76df6491
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_collection_create(p_key => 'onboarding', p_kind => 'workflow', p_title => 'Onboarding', p_reason => 'new', p_members => '[{"piece": "policies/leave-de", "label": "read", "transitions": [{"on": "done", "to": "end"}]}]');
commit;
