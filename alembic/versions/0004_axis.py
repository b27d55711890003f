"""Axes: metadata on pieces, derived on collections.

Objects:
    tables axis, unit_axis, collection_axis; functions of axes.
Locks:
    none beyond SHARE ROW EXCLUSIVE on change, information_unit and collection, for foreign keys.
Loses (going back):
    every axis and value.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "axis.sql",
    "unit_axis.sql",
    "collection_axis.sql",
    "fn_iu_axis_register.sql",
    "fn_iu_axis_list.sql",
    "fn_iu_axis_show.sql",
    "fn_iu_axis_set.sql",
    "fn_iu_collection_axes.sql",
    "fn_iu_axis_refresh.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0004_axis/{name}")


def downgrade() -> None:
    op.run_sql("0004_axis/undo.sql")
