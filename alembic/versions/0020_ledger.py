"""The ledger: a total order of events with a running hash, and an outbox whose old quarters can be emptied.

Objects:
    tables event_log and sequencer_batch, with a partition for each quarter of a year; sequencer_guard, ledger_anchor;
    event_outbox is made anew with such partitions and the columns traceparent and slot, and every event is copied; replaced:
    fn_iu_event_put and the views of events (v_event, v_composer_event, v_collection_status: the same text, on the new table);
    functions fn_iu_slot, fn_iu_make_slots, fn_iu_assert_read_committed, fn_iu_ledger_*, fn_iu_sequence, fn_iu_sequencer_*, fn_iu_log_read; the event type
    delivery.rebased with its route.
Locks:
    SHARE ROW EXCLUSIVE on change, ACCESS EXCLUSIVE on event_outbox: while every event is copied no governed call is made
    (about 100,000 events a second).
Loses (going back):
    the ledger: its positions, hashes, batches and anchors, the trace context of events; the events stay.
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "outbox_aside.sql",
    "fn_iu_slot.sql",
    "fn_iu_make_slots.sql",
    "event_outbox.sql",
    "outbox_copy.sql",
    "fn_iu_event_put.sql",
    "v_event.sql",
    "v_composer_event.sql",
    "v_collection_status.sql",
    "outbox_drop_aside.sql",
    "event_log.sql",
    "sequencer_batch.sql",
    "sequencer_guard.sql",
    "ledger_anchor.sql",
    "fn_iu_ledger_text.sql",
    "fn_iu_ledger_hash.sql",
    "fn_iu_ledger_chain.sql",
    "fn_iu_sequencer_window.sql",
    "fn_iu_ledger_append.sql",
    "fn_iu_assert_read_committed.sql",
    "fn_iu_sequencer_snapshot.sql",
    "fn_iu_sequence.sql",
    "fn_iu_sequencer_rebase.sql",
    "fn_iu_ledger_verify.sql",
    "fn_iu_ledger_head.sql",
    "fn_iu_ledger_stray.sql",
    "fn_iu_log_read.sql",
    "ledger_registry_seed.sql",
)
# Not run on the way up: the second half of the way back.
KEPT = ("undo_copy.sql",)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0020_ledger/{name}")


def downgrade() -> None:
    op.run_sql("0020_ledger/undo.sql")
    op.run_sql("0007_outbox/event_outbox.sql")
    op.run_sql("0007_outbox/fn_iu_event_put.sql")
    op.run_sql("0007_outbox/v_event.sql")
    op.run_sql("0008_composer_event/v_composer_event.sql")
    op.run_sql("0016_collection_disposal/v_collection_status.sql")
    op.run_sql("0020_ledger/undo_copy.sql")
