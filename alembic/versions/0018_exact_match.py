"""No function of the caller's search_path is a better match.

Objects:
    replaced: fn_iu_uuid7, fn_iu_is_attributes, which are inlined and so read names by the search_path of the caller: each
    operator and function in them is now an exact match in pg_catalog, or named with it.
Locks:
    none.
Loses (going back):
    nothing.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "fn_iu_uuid7.sql",
    "fn_iu_is_attributes.sql",
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0018_exact_match/{name}")


def downgrade() -> None:
    op.run_sql("0001_schema/fn_iu_uuid7.sql")
    op.run_sql("0001_schema/fn_iu_is_attributes.sql")
    op.run_sql("0018_exact_match/undo.sql")
