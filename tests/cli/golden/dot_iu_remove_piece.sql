-- dot_iu_remove_piece: Take a member out of a collection; the piece lives on everywhere else.
--   key: "onboarding"
--   member: "policies/leave"
--   reason: "obsolete"
-- digest: sha256 25a353d9287b17bfb6438eb5060c9689b39634162256cdf72705e18a5492f923
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_collection_remove(p_key => 'onboarding', p_member => 'policies/leave', p_reason => 'obsolete');
commit;
