-- dot_iu_show_collection: List the members of a collection in order.
--   key: "handbook.md"
-- digest: sha256 d1ffe9473068274ae1fc89c8549cd113f5a5a01dbb8611a44f003a23f19e0881
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_collection_members(p_key => 'handbook.md');
commit;
