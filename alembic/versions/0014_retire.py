"""Retiring a piece: no new use.

Objects:
    function fn_iu_retire; replaced: fn_iu_unit_usable, fn_iu_collection_create, fn_iu_collection_add and
    fn_iu_collection_replace, which refuse a retired piece; fn_iu_version_put, fn_iu_lifecycle_set.
Locks:
    none.
Loses (going back):
    nothing. Retired pieces stay retired, and can be put somewhere again.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "fn_iu_unit_usable.sql",
    "drop_version_put.sql",
    "fn_iu_version_put.sql",
    "fn_iu_lifecycle_set.sql",
    "fn_iu_retire.sql",
    "fn_iu_collection_create.sql",
    "fn_iu_collection_add.sql",
    "fn_iu_collection_replace.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0014_retire/{name}")


def downgrade() -> None:
    op.run_sql("0011_disposal/fn_iu_unit_usable.sql")
    op.run_sql("0014_retire/drop_version_put.sql")
    op.run_sql("0012_unit_event/fn_iu_version_put.sql")
    op.run_sql("0013_change_event/fn_iu_lifecycle_set.sql")
    op.run_sql("0011_disposal/fn_iu_collection_create.sql")
    op.run_sql("0011_disposal/fn_iu_collection_add.sql")
    op.run_sql("0013_change_event/fn_iu_collection_replace.sql")
    op.run_sql("0014_retire/undo.sql")
