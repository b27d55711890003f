"""Collections: ordered membership over time, nesting, render and workflows.

Objects:
    tables collection, collection_member, nesting_guard; sequence collection_member_id; view v_collection;
    functions of the composer.
Locks:
    none beyond SHARE ROW EXCLUSIVE on change, information_unit and unit_version, for foreign keys.
Loses (going back):
    every collection and membership.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "collection.sql",
    "collection_member.sql",
    "nesting_guard.sql",
    "v_collection.sql",
    "fn_iu_collection_id.sql",
    "fn_iu_as_of.sql",
    "fn_iu_is_open.sql",
    "fn_iu_members_at.sql",
    "fn_iu_pieces_at.sql",
    "fn_iu_collection_measure.sql",
    "fn_iu_assert_render.sql",
    "fn_iu_refuse_content.sql",
    "fn_iu_render.sql",
    "fn_iu_render_pieces.sql",
    "fn_iu_mermaid_text.sql",
    "fn_iu_workflow_ways.sql",
    "fn_iu_workflow_reached.sql",
    "fn_iu_render_workflow.sql",
    "fn_iu_member_find.sql",
    "fn_iu_member_put.sql",
    "fn_iu_member_address.sql",
    "fn_iu_rank_encode.sql",
    "fn_iu_rank_decode.sql",
    "fn_iu_rank_between.sql",
    "fn_iu_ranks_spread.sql",
    "fn_iu_rank_at.sql",
    "fn_iu_assert_step.sql",
    "fn_iu_assert_label_free.sql",
    "fn_iu_nesting_lock.sql",
    "fn_iu_assert_nesting.sql",
    "fn_iu_is_nested.sql",
    "fn_iu_composer_open.sql",
    "fn_iu_composer_close.sql",
    "fn_iu_collection_create.sql",
    "fn_iu_collection_add.sql",
    "fn_iu_collection_remove.sql",
    "fn_iu_collection_reorder.sql",
    "fn_iu_collection_pin.sql",
    "fn_iu_collection_unpin.sql",
    "fn_iu_collection_replace.sql",
    "fn_iu_step_set.sql",
    "fn_iu_collection_rebalance.sql",
    "fn_iu_collection_show.sql",
    "fn_iu_collection_list.sql",
    "fn_iu_collection_members.sql",
    "fn_iu_collection_history.sql",
    "fn_iu_standing_in.sql",
    "fn_iu_where_used.sql",
    "fn_iu_collection_where_used.sql",
    "fn_iu_collection_validate.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0003_collection/{name}")


def downgrade() -> None:
    op.run_sql("0003_collection/undo.sql")
