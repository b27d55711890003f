"""The registry of the composer family: eight event types, eight routes.

Objects:
    rows of event_type and route; checked: each type has a route, no delta type is on the immediate lane.
Locks:
    none.
Loses (going back):
    whether one of the eight routes was switched on, and those switches.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "composer_registry_seed.sql",
    "registry_check.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0009_composer_registry/{name}")


def downgrade() -> None:
    op.run_sql("0009_composer_registry/undo.sql")
