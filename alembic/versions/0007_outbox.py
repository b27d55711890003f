"""The outbox: events, their types with lanes, and routes.

Objects:
    tables event_type, route, route_switch, event_outbox (append-only, with the idempotency index of the immediate
    lane); view v_event; the functions that append events, register types and routes, switch and list them.
    Nothing emits yet.
Locks:
    SHARE ROW EXCLUSIVE on change, for foreign keys.
Loses (going back):
    every event, every registered type and route, every switch of a route.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "event_type.sql",
    "route.sql",
    "route_switch.sql",
    "fn_iu_refuse_rewrite.sql",
    "event_outbox.sql",
    "v_event.sql",
    "fn_iu_event_put.sql",
    "fn_iu_is_reserved.sql",
    "fn_iu_event_type_register.sql",
    "fn_iu_event_type_list.sql",
    "fn_iu_route_register.sql",
    "fn_iu_route_set.sql",
    "fn_iu_route_list.sql",
    "fn_iu_registry_check.sql",
    "fn_iu_event_list.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0007_outbox/{name}")


def downgrade() -> None:
    op.run_sql("0007_outbox/undo.sql")
