"""A column for the mark of a soft-deleted piece.

Objects:
    column information_unit.deleted_change. In a revision of its own: whoever writes a piece holds locks on
    information_unit and on change, so that a revision that needs more than this one lock could deadlock with writers.
Locks:
    ACCESS EXCLUSIVE on information_unit for a moment (a column without default).
Loses (going back):
    nothing. The next revision counts the deletions.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "information_unit_deleted_change.sql",
)
# Present files that the steps above bring up to date: copied, not run.
KEPT = ("information_unit.sql",)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0010_unit_deleted_change/{name}")


def downgrade() -> None:
    op.run_sql("0010_unit_deleted_change/undo.sql")
