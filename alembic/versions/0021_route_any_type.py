"""A route may take events of every type.

Objects:
    columns route.event_type and route.delivery_lane may be null, both or neither; in a revision of its own, as 0010.
Locks:
    ACCESS EXCLUSIVE on route for a moment (a table of a few rows).
Loses (going back):
    routes of every type, with their switches.
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = ("route_any_type.sql",)
# Present files that the steps above bring up to date: copied, not run.
KEPT = ("route.sql",)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0021_route_any_type/{name}")


def downgrade() -> None:
    op.run_sql("0021_route_any_type/undo.sql")
