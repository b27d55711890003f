-- dot_iu_clone_piece: Make a new piece with the text of another.
--   source: "policies/leave"
--   address: "policies/leave-de"
--   reason: "to translate"
--   version: 1
--   title: "Urlaub"
-- digest: sha256 abd3cf4256b75dd7525a3dac205793b676765e7cb662d14f6bb7ffb60a23cdfc
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_clone(p_source => 'policies/leave', p_address => 'policies/leave-de', p_reason => 'to translate', p_version => 1, p_title => 'Urlaub');
commit;
