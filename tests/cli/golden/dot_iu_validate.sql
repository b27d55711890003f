-- dot_iu_validate: Look for what is wrong in a collection, and record that it was looked for.
--   key: "handbook.md"
--   reason: "before the release"
-- digest: sha256 f4698b88cad9768ae8c6438073fdc78c8ae0609736bf28a05250868657b30ac0
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_record_validation(p_key => 'handbook.md', p_reason => 'before the release');
commit;
