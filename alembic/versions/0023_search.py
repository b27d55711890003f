"""Pieces are found by what they say.

Objects:
    new: fn_iu_search, which reads and writes nothing. It needs no index, so that none is built while others write.
Locks:
    none.
Loses (going back):
    nothing.
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = ("fn_iu_search.sql",)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0023_search/{name}")


def downgrade() -> None:
    op.run_sql("0023_search/undo.sql")
