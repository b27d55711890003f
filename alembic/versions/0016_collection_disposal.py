"""Disposal of collections: soft-delete and restore.

Objects:
    table collection_deletion; functions fn_iu_collection_find, fn_iu_collection_soft_delete, fn_iu_collection_restore,
    fn_iu_refuse_deleted_collection; two event types with their routes; replaced: what finds a collection by its key
    (fn_iu_collection_id, fn_iu_composer_open) or lists collections.
Locks:
    SHARE ROW EXCLUSIVE on change, then on collection, for foreign keys: in the order of the writers.
Loses (going back):
    every deletion: collections that were soft-deleted are seen again. Events stay, and no event tells so.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "lock_in_order.sql",
    "collection_deletion.sql",
    "fn_iu_collection_find.sql",
    "fn_iu_refuse_deleted_collection.sql",
    "fn_iu_collection_id.sql",
    "fn_iu_composer_open.sql",
    "fn_iu_assert_nesting.sql",
    "fn_iu_standing_in.sql",
    "fn_iu_collection_history.sql",
    "v_collection.sql",
    "v_collection_status.sql",
    "fn_iu_collection_create.sql",
    "fn_iu_collection_add.sql",
    "fn_iu_retire.sql",
    "fn_iu_collection_soft_delete.sql",
    "fn_iu_collection_restore.sql",
    "collection_disposal_registry_seed.sql",
    "registry_check.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0016_collection_disposal/{name}")


def downgrade() -> None:
    op.run_sql("0003_collection/fn_iu_collection_id.sql")
    op.run_sql("0008_composer_event/fn_iu_composer_open.sql")
    op.run_sql("0003_collection/fn_iu_assert_nesting.sql")
    op.run_sql("0003_collection/fn_iu_standing_in.sql")
    op.run_sql("0003_collection/fn_iu_collection_history.sql")
    op.run_sql("0014_retire/fn_iu_collection_create.sql")
    op.run_sql("0014_retire/fn_iu_collection_add.sql")
    op.run_sql("0014_retire/fn_iu_retire.sql")
    op.run_sql("0016_collection_disposal/undo.sql")
    op.run_sql("0011_disposal/v_collection.sql")
    op.run_sql("0008_composer_event/v_collection_status.sql")
