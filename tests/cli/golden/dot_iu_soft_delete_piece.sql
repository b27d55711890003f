-- dot_iu_soft_delete_piece: Take a piece out of every render, until it is restored.
--   address: "policies/leave-de"
--   reason: "under review"
-- digest: sha256 c2c1a0133330e09039b55d51aa47ae9ba304639bd69b44962e27e69ea77af3d8
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_soft_delete(p_address => 'policies/leave-de', p_reason => 'under review');
commit;
