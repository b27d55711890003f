-- dot_iu_retire_piece: Allow no new use of a piece; where it stands it stays, and is flagged.
--   address: "policies/leave-de"
--   reason: "no longer in force"
--   refuse_if_used: false
--   expected_version: 1
-- digest: sha256 aef8228b902331a235b6f9974efc390ff8db8ca9bed075336a7fe8d8585d1a81
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_retire(p_address => 'policies/leave-de', p_reason => 'no longer in force', p_refuse_if_used => false, p_expected_version => 1);
commit;
