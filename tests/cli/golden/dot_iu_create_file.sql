-- dot_iu_create_file: Make a file: a collection that renders its pieces one after the other.
--   key: "handbook.md"
--   title: "Handbook"
--   reason: "first edition"
--   members: "[{\"piece\": \"policies/leave\"}, {\"piece\": "... (75 bytes, sha256 067c59e251025ffb6be5ed4b723c0b42b3950898bba51299b9385ec6a505f2a6)
-- digest: sha256 49b9952cef7805c0b737a8bced0650f90e6368ca54a2cf97e5ba74991d8fb70e
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_collection_create(p_key => 'handbook.md', p_kind => 'file', p_title => 'Handbook', p_reason => 'first edition', p_members => '[{"piece": "policies/leave"}, {"piece": "policies/leave-de", "version": 1}]');
commit;
