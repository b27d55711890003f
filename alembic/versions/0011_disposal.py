"""Disposal of pieces: soft-delete and restore.

Objects:
    table unit_deletion; functions fn_iu_soft_delete, fn_iu_restore,
    fn_iu_unit_usable, fn_iu_refuse_deleted_piece; two event types with their routes;
    replaced: what reads members (fn_iu_members_at and those that counted or searched beside it), and what refuses a deleted piece
    (fn_iu_version_put, fn_iu_clone, fn_iu_axis_set, fn_iu_collection_create, fn_iu_collection_add,
    fn_iu_collection_replace).
Locks:
    SHARE ROW EXCLUSIVE on change, then on information_unit, for foreign keys: in the order of the writers.
Loses (going back):
    every deletion: pieces that were soft-deleted are seen again. Events stay, and no event tells so.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "lock_in_order.sql",
    "unit_deletion.sql",
    "fn_iu_refuse_deleted_piece.sql",
    "fn_iu_unit_usable.sql",
    "fn_iu_members_at.sql",
    "v_piece.sql",
    "v_collection.sql",
    "fn_iu_show.sql",
    "fn_iu_collection_show.sql",
    "fn_iu_collection_validate.sql",
    "fn_iu_refuse_address.sql",
    "fn_iu_find_content.sql",
    "fn_iu_version_put.sql",
    "fn_iu_clone.sql",
    "fn_iu_axis_set.sql",
    "fn_iu_axis_refresh.sql",
    "fn_iu_collection_create.sql",
    "fn_iu_collection_add.sql",
    "fn_iu_collection_replace.sql",
    "fn_iu_soft_delete.sql",
    "fn_iu_restore.sql",
    "disposal_registry_seed.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0011_disposal/{name}")


def downgrade() -> None:
    op.run_sql("0003_collection/fn_iu_members_at.sql")
    op.run_sql("0002_piece/v_piece.sql")
    op.run_sql("0003_collection/v_collection.sql")
    op.run_sql("0002_piece/fn_iu_show.sql")
    op.run_sql("0003_collection/fn_iu_collection_show.sql")
    op.run_sql("0003_collection/fn_iu_collection_validate.sql")
    op.run_sql("0002_piece/fn_iu_refuse_address.sql")
    op.run_sql("0002_piece/fn_iu_find_content.sql")
    op.run_sql("0002_piece/fn_iu_version_put.sql")
    op.run_sql("0002_piece/fn_iu_clone.sql")
    op.run_sql("0004_axis/fn_iu_axis_set.sql")
    op.run_sql("0004_axis/fn_iu_axis_refresh.sql")
    op.run_sql("0008_composer_event/fn_iu_collection_create.sql")
    op.run_sql("0008_composer_event/fn_iu_collection_add.sql")
    op.run_sql("0003_collection/fn_iu_collection_replace.sql")
    op.run_sql("0011_disposal/undo.sql")
