-- dot_iu_refresh_axes: Derive the axes of a collection from those of its pieces.
--   key: "handbook.md"
--   reason: "weekly"
-- digest: sha256 725e984298c9f1a5f6f70505a80b8d8aefaec703345d7ee596167f33c5d933bd
begin;
set local client_encoding = 'UTF8';
select * from iucore.fn_iu_axis_refresh(p_key => 'handbook.md', p_reason => 'weekly');
commit;
