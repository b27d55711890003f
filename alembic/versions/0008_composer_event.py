"""Composer events: the composer asks its gate and says what it did.

Objects:
    functions fn_iu_composer_assert_gate, fn_iu_composer_emit; views v_composer_event, v_collection_status;
    replaced: fn_iu_collection_create, fn_iu_collection_add, fn_iu_collection_remove and fn_iu_collection_reorder, which
    emit in their transaction; fn_iu_composer_open, which asks the gate for every composer verb.
Locks:
    none.
Loses (going back):
    nothing. Events that were emitted stay.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "fn_iu_composer_assert_gate.sql",
    "fn_iu_composer_emit.sql",
    "v_composer_event.sql",
    "v_collection_status.sql",
    "fn_iu_composer_open.sql",
    "fn_iu_collection_create.sql",
    "fn_iu_collection_add.sql",
    "fn_iu_collection_remove.sql",
    "fn_iu_collection_reorder.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0008_composer_event/{name}")


def downgrade() -> None:
    op.run_sql("0003_collection/fn_iu_composer_open.sql")
    op.run_sql("0003_collection/fn_iu_collection_create.sql")
    op.run_sql("0003_collection/fn_iu_collection_add.sql")
    op.run_sql("0003_collection/fn_iu_collection_remove.sql")
    op.run_sql("0003_collection/fn_iu_collection_reorder.sql")
    op.run_sql("0008_composer_event/undo.sql")
