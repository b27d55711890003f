-- dot_iu_render: Render a collection, and record the sha256 of its text.
--   key: "handbook.md"
--   reason: "sent to print"
-- digest: sha256 9ee0a507ea3dfef7a798de92d56e260e2cfe50923d54c49a356866ac72169c6c
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_record_render(p_key => 'handbook.md', p_reason => 'sent to print');
commit;
