"""Every other change has its event; renders and validations can be recorded.

Objects:
    functions fn_iu_record_render, fn_iu_record_validation; ten event types with their routes; replaced: the composer
    verbs that did not emit yet, and what registers and switches; fn_iu_edit and fn_iu_lifecycle_set by their comments.
Locks:
    EXCLUSIVE on gate, for a moment: it waits for the calls under way, which may still run the functions of before 0012
    and bear pieces without event; writers wait for it.
Loses (going back):
    whether one of the ten routes was switched on, and those switches. Events stay.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "wait_for_writers.sql",
    "change_registry_seed.sql",
    "registry_check.sql",
    "fn_iu_collection_pin.sql",
    "fn_iu_collection_unpin.sql",
    "fn_iu_collection_replace.sql",
    "fn_iu_collection_rebalance.sql",
    "fn_iu_step_set.sql",
    "fn_iu_axis_refresh.sql",
    "fn_iu_kind_register.sql",
    "fn_iu_axis_register.sql",
    "fn_iu_event_type_register.sql",
    "fn_iu_route_register.sql",
    "fn_iu_route_set.sql",
    "fn_iu_gate_set.sql",
    "fn_iu_edit.sql",
    "fn_iu_lifecycle_set.sql",
    "fn_iu_record_render.sql",
    "fn_iu_record_validation.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0013_change_event/{name}")


def downgrade() -> None:
    op.run_sql("0003_collection/fn_iu_collection_pin.sql")
    op.run_sql("0003_collection/fn_iu_collection_unpin.sql")
    op.run_sql("0011_disposal/fn_iu_collection_replace.sql")
    op.run_sql("0003_collection/fn_iu_collection_rebalance.sql")
    op.run_sql("0003_collection/fn_iu_step_set.sql")
    op.run_sql("0011_disposal/fn_iu_axis_refresh.sql")
    op.run_sql("0002_piece/fn_iu_kind_register.sql")
    op.run_sql("0004_axis/fn_iu_axis_register.sql")
    op.run_sql("0007_outbox/fn_iu_event_type_register.sql")
    op.run_sql("0007_outbox/fn_iu_route_register.sql")
    op.run_sql("0007_outbox/fn_iu_route_set.sql")
    op.run_sql("0006_gate/fn_iu_gate_set.sql")
    op.run_sql("0002_piece/fn_iu_edit.sql")
    op.run_sql("0002_piece/fn_iu_lifecycle_set.sql")
    op.run_sql("0013_change_event/undo.sql")
