-- dot_iu_edit_piece: Write a new version of a piece; what is not given stays as it was.
--   address: "policies/leave"
--   expected_version: 1
--   reason: "more"
--   body: "# Leave\r\n\nAsk 'first'. \\n is no line end"... (100 bytes, sha256 ed8f74434ba3e1d10dc663f27443b70a4953ea5b8f7d980d9e16906bda1f02b7)
-- digest: sha256 2748b7684e61cf22e950a601c71fb7d31928353ade577d8870ad5520a94663e3
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_edit(p_address => 'policies/leave', p_expected_version => 1, p_reason => 'more', p_body => E'# Leave\u000D

Ask ''first''. \\n is no line end, \\
\\q nor is $$ :name\u0009
  Người lao động 😀  
-- end');
commit;
