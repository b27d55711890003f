-- dot_iu_reorder_piece: Move a member to another place of its collection.
--   key: "handbook.md"
--   member: "policies/leave-de"
--   reason: "german first"
--   at: "first"
-- digest: sha256 3696abb36fe7eb48b3c98295da8343fd1091a6b6c0e569ca2efebfbdac704a23
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_collection_reorder(p_key => 'handbook.md', p_member => 'policies/leave-de', p_reason => 'german first', p_at => 'first');
commit;
