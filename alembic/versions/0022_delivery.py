"""Delivery: routes that send, their cursors, attempts, retries and dead letters.

Objects:
    tables route_setting, route_partition, delivery_retry, dead_letter; delivery_cursor and delivery_attempt with a partition
    for each quarter of a year; views v_route_setting, v_route_part, v_outbox_health, v_route_health, v_delivery_attempt, v_dead_letter;
    functions fn_iu_route_configure, _show, _replay, _skip, _arm, _positions, _range, _lag, fn_iu_delivery_*,
    fn_iu_dry_run_position, fn_iu_backoff, fn_iu_events_prune, fn_iu_prune_blocker, fn_iu_wake; four event types with their routes;
    replaced: fn_iu_route_set (a route that is on and configured gets its cursor), fn_iu_route_register (of every type),
    fn_iu_registry_check (a route of every type counts).
Locks:
    SHARE ROW EXCLUSIVE on change, axis and route, for foreign keys: in the order of the writers.
Loses (going back):
    settings of routes, cursors, attempts, what waits to be sent again and dead letters: afterwards nobody knows what was
    sent. Events and the ledger stay.
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "lock_in_order.sql",
    "route_setting.sql",
    "route_partition.sql",
    "delivery_cursor.sql",
    "delivery_attempt.sql",
    "delivery_retry.sql",
    "dead_letter.sql",
    "v_route_setting.sql",
    "v_route_part.sql",
    "fn_iu_route_positions.sql",
    "fn_iu_route_range.sql",
    "fn_iu_route_arm.sql",
    "fn_iu_registry_check.sql",
    "fn_iu_route_register.sql",
    "fn_iu_route_set.sql",
    "fn_iu_route_configure.sql",
    "fn_iu_route_show.sql",
    "fn_iu_delivery_claim.sql",
    "fn_iu_backoff.sql",
    "fn_iu_delivery_fail.sql",
    "fn_iu_delivery_defer.sql",
    "fn_iu_delivery_due.sql",
    "fn_iu_delivery_fence.sql",
    "fn_iu_delivery_take.sql",
    "fn_iu_delivery_allowed.sql",
    "fn_iu_delivery_renew.sql",
    "fn_iu_delivery_record.sql",
    "fn_iu_dry_run_position.sql",
    "fn_iu_delivery_dry_run.sql",
    "fn_iu_route_replay.sql",
    "fn_iu_route_skip.sql",
    "fn_iu_prune_blocker.sql",
    "fn_iu_events_prune.sql",
    "fn_iu_wake.sql",
    "fn_iu_route_lag.sql",
    "v_outbox_health.sql",
    "v_route_health.sql",
    "v_delivery_attempt.sql",
    "v_dead_letter.sql",
    "delivery_registry_seed.sql",
    "registry_check.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0022_delivery/{name}")


def downgrade() -> None:
    op.run_sql("0022_delivery/undo.sql")
    op.run_sql("0007_outbox/fn_iu_registry_check.sql")
    op.run_sql("0013_change_event/fn_iu_route_register.sql")
    op.run_sql("0013_change_event/fn_iu_route_set.sql")
