"""Gates: switches that refuse.

Objects:
    tables gate, gate_switch; functions fn_iu_gate_set, fn_iu_gate_list, fn_iu_gate_history, fn_iu_assert_gate;
    replaced: fn_iu_change_open, which now asks the master gate.
Locks:
    SHARE ROW EXCLUSIVE on change, for foreign keys.
Loses (going back):
    every switch of a gate, and with it a closed gate: what it stopped goes on.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "gate.sql",
    "gate_switch.sql",
    "gate_seed.sql",
    "fn_iu_assert_gate.sql",
    "fn_iu_gate_set.sql",
    "fn_iu_gate_list.sql",
    "fn_iu_gate_history.sql",
    "fn_iu_change_open.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0006_gate/{name}")


def downgrade() -> None:
    op.run_sql("0001_schema/fn_iu_change_open.sql")
    op.run_sql("0006_gate/undo.sql")
