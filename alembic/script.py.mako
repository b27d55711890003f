"""${message}.

Objects:
    name each object that is created, replaced or dropped.
Locks:
    name each lock on an existing table, and how long it is held.
Loses (going back):
    name each kind of row that the undo loses, or say: nothing.
"""

# The rule of the house: one revision does one thing; nothing here is edited once it is released; every statement
# stands in a file, never in a string; a table that is in use gets no lock that is held for longer than a moment.

from alembic import op

revision = "${up_revision}"
down_revision = ${'"' + down_revision + '"' if down_revision else "None"}

# In the order in which they are applied; scripts/freeze copies them here from sql/.
FILES = (
% for name in files:
    ${'"' + name + '"'},
% endfor
)


def upgrade() -> None:
    for name in FILES:
        op.run_sql(f"${folder}/{name}")


def downgrade() -> None:
% for name in replaced:
    op.run_sql("${name}")
% endfor
    op.run_sql("${folder}/undo.sql")
