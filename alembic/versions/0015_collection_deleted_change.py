"""A column for the mark of a soft-deleted collection.

Objects:
    column collection.deleted_change; in a revision of its own, as 0010.
Locks:
    ACCESS EXCLUSIVE on collection for a moment (a column without default).
Loses (going back):
    nothing. The next revision counts the deletions.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "collection_deleted_change.sql",
)
# Present files that the steps above bring up to date: copied, not run.
KEPT = ("collection.sql",)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0015_collection_deleted_change/{name}")


def downgrade() -> None:
    op.run_sql("0015_collection_deleted_change/undo.sql")
