"""Unit events: birth, edits and lifecycle of pieces, each in its transaction.

Objects:
    six event types with their routes; replaced: fn_iu_create, fn_iu_create_many, fn_iu_clone, fn_iu_version_put,
    fn_iu_axis_set, which emit. Pieces that are there already get the event of their birth in 0017.
Locks:
    none.
Loses (going back):
    whether one of the six routes was switched on, and those switches. Events stay.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "unit_registry_seed.sql",
    "registry_check.sql",
    "fn_iu_create.sql",
    "fn_iu_create_many.sql",
    "fn_iu_clone.sql",
    "fn_iu_version_put.sql",
    "fn_iu_axis_set.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0012_unit_event/{name}")


def downgrade() -> None:
    op.run_sql("0002_piece/fn_iu_create.sql")
    op.run_sql("0002_piece/fn_iu_create_many.sql")
    op.run_sql("0011_disposal/fn_iu_clone.sql")
    op.run_sql("0011_disposal/fn_iu_version_put.sql")
    op.run_sql("0011_disposal/fn_iu_axis_set.sql")
    op.run_sql("0012_unit_event/undo.sql")
