"""Several documents in one reading: what an export and a plan ask.

Objects:
    new: fn_iu_export_collections, fn_iu_export_pieces, fn_iu_show_many, which read and write nothing.
Locks:
    none.
Loses (going back):
    nothing.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "fn_iu_export_collections.sql",
    "fn_iu_export_pieces.sql",
    "fn_iu_show_many.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0019_export/{name}")


def downgrade() -> None:
    op.run_sql("0019_export/undo.sql")
