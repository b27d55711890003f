"""Pieces: kinds, contents, versions, the birth gate and what is done with one piece.

Objects:
    tables unit_kind, unit_content, information_unit, unit_version; view v_piece; functions of pieces.
Locks:
    none beyond SHARE ROW EXCLUSIVE on change, for foreign keys.
Loses (going back):
    every piece, version and content.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "unit_kind.sql",
    "unit_kind_seed.sql",
    "unit_content.sql",
    "information_unit.sql",
    "unit_version.sql",
    "v_piece.sql",
    "fn_iu_assert_body.sql",
    "fn_iu_refuse_json.sql",
    "fn_iu_content_put.sql",
    "fn_iu_piece_row.sql",
    "fn_iu_refuse_address.sql",
    "fn_iu_refuse_unknown_piece.sql",
    "fn_iu_assert_kind.sql",
    "fn_iu_unit_id.sql",
    "fn_iu_show.sql",
    "fn_iu_refuse_pieces.sql",
    "fn_iu_create.sql",
    "fn_iu_create_many.sql",
    "fn_iu_version_put.sql",
    "fn_iu_edit.sql",
    "fn_iu_lifecycle_set.sql",
    "fn_iu_clone.sql",
    "fn_iu_kind_register.sql",
    "fn_iu_kind_list.sql",
    "fn_iu_history.sql",
    "fn_iu_diff_input.sql",
    "fn_iu_list.sql",
    "fn_iu_find_content.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0002_piece/{name}")


def downgrade() -> None:
    op.run_sql("0002_piece/undo.sql")
