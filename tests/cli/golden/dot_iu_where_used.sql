-- dot_iu_where_used: List every collection in which a piece stands.
--   address: "policies/leave"
-- digest: sha256 6c1b7891bd543e18b387609ead9847f7302ee99b7b2183227fb06907f76a80dd
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_where_used(p_address => 'policies/leave');
commit;
