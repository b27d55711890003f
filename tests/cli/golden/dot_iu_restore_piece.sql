-- dot_iu_restore_piece: Bring a soft-deleted piece back to where it stood.
--   address: "policies/leave-de"
--   reason: "reviewed"
-- digest: sha256 b2dd2984620922fb54329d3b7d3c0c94a9d98edd381a18652235c71bca00079c
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_restore(p_address => 'policies/leave-de', p_reason => 'reviewed');
commit;
