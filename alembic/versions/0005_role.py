"""The seven roles and what each may.

Objects:
    roles iucore_gatekeeper, iucore_worker, iucore_auditor (made where missing); default privileges of iucore_owner;
    usage on the schema for the worker, change_result readable by the auditor.
Locks:
    ACCESS EXCLUSIVE on nothing; the grants take a row lock in the catalog.
Loses (going back):
    nothing. Roles stay: they belong to the cluster.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# In the order in which they are applied.
FILES = (
    "roles.sql",
    "default_privileges.sql",
    "role_grants.sql",
)
# Present files that the steps above bring up to date: copied, not run.
KEPT = ("schema.sql", "change_result.sql")


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"0005_role/{name}")


def downgrade() -> None:
    op.run_sql("0005_role/undo.sql")
