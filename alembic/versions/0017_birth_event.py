"""Pieces that were born before 0012 get the event of their birth.

Objects:
    rows of event_outbox.
Locks:
    none. 0013 has waited for the calls that still ran the functions of before 0012, so that each piece without event is
    seen here.
Loses (going back):
    nothing. Events stay.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "unit_event_backfill.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0017_birth_event/{name}")


def downgrade() -> None:
    op.run_sql("0017_birth_event/undo.sql")
