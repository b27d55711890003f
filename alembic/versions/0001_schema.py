"""The schema, its roles, the ledger of changes and the checks of text.

Objects:
    schema iucore; roles iucore_owner, iucore_reader, iucore_author, iucore_operator (made where missing);
    tables change, change_result; view v_change; the functions that check text, addresses and callers.
Locks:
    none on anything that exists.
Loses (going back):
    every change record. Roles stay: they belong to the cluster.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "roles.sql",
    "schema.sql",
    "version_table.sql",
    "fn_iu_limit.sql",
    "fn_iu_is_address.sql",
    "fn_iu_is_name.sql",
    "fn_iu_is_attributes.sql",
    "change.sql",
    "change_result.sql",
    "fn_iu_uuid7.sql",
    "fn_iu_text_prefix.sql",
    "fn_iu_text.sql",
    "fn_iu_assert_address.sql",
    "fn_iu_assert_title.sql",
    "fn_iu_assert_attributes.sql",
    "fn_iu_change_open.sql",
    "fn_iu_change_close.sql",
    "v_change.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0001_schema/{name}")


def downgrade() -> None:
    op.run_sql("0001_schema/undo.sql")
