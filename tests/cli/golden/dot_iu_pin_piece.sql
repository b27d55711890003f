-- dot_iu_pin_piece: Let a member show one version of its piece, whatever the head becomes.
--   key: "handbook.md"
--   member: "policies/leave"
--   reason: "as signed"
--   version: 1
-- digest: sha256 ba30b3b647e10fb3e355793cc092edb878abf502cabc24a9ffc43ad099f101f3
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_collection_pin(p_key => 'handbook.md', p_member => 'policies/leave', p_reason => 'as signed', p_version => 1);
commit;
