-- dot_iu_create_piece: Give birth to a piece, with its first text.
--   address: "policies/leave"
--   kind: "policy"
--   title: "Leave: 'ngh\u1ec9 ph\u00e9p'"
--   body: "# Leave\r\n\nAsk 'first'. \\n is no line end"... (94 bytes, sha256 61ea2530a50d8b30c7bd2c112f63f8cc3ad5494ff98a430e06a555f445dd38a2)
--   reason: "first \\ text"
--   attributes: {"owner": "hr", "tags": ["a'b", "\\", "\u00e9"]}
--   actor: "ann"
--   request_key: "scenario-1"
-- digest: sha256 211bc5e8044f76c327b21b76f48f5af597eb6a76654c5971efe933d3051f5054
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_create(p_address => 'policies/leave', p_kind => 'policy', p_title => 'Leave: ''nghỉ phép''', p_body => E'# Leave\u000D

Ask ''first''. \\n is no line end, \\
\\q nor is $$ :name\u0009
  Người lao động 😀  
', p_reason => E'first \\ text', p_attributes => E'{"owner": "hr", "tags": ["a''b", "\\\\", "é"]}', p_actor => 'ann', p_request_key => 'scenario-1');
commit;
