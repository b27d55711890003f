"""The command line: parses, calls, prints. Heavy libraries are imported inside commands, never here."""

from __future__ import annotations

import sys

try:
    import click

    from iucore import __version__
    from iucore.cli._base import Root, examples
except KeyboardInterrupt:
    sys.stderr.write("interrupted\n")
    sys.exit(130)

_COMMANDS = {
    "db": "The database: embedded server, migrations, verification.",
    "cut": "Cut documents into governed pieces.",
    "piece": "Pieces of governed text.",
    "search": "Search for pieces by what they say.",
    "kind": "Kinds of pieces.",
    "collection": "Collections: files and workflows made of pieces.",
    "axis": "Axes: dimensions of metadata.",
    "render": "Render collections to their exact bytes.",
    "export": "Write collections as text files to edit.",
    "status": "How the database and its delivery are; what differs between exported files and it.",
    "plan": "What edited files would do to the database.",
    "apply": "Bring edited files back into the database.",
    "gate": "Gates: switches that refuse.",
    "events": "Events: what happened, and the types of it.",
    "ledger": "The ledger: every event in its place, verifiable.",
    "route": "Routes: where events go.",
    "metrics": "Print the state of delivery for a collector of metrics.",
    "worker": "The worker: hands events to the transports of routes.",
    "sequencer": "The sequencer: gives every committed event its place in the ledger.",
    "inventory": "What the database must contain, and does.",
    "proof": "Prove on the live database that the governed verbs work, and leave nothing.",
    "pilot": "A small durable pilot, and its rollback.",
    "preflight": "The 14 checks that must be green before a production apply.",
    "backup": "Backups: made, verified, restored for trial.",
    "closeout": "A report about a production apply, from measured facts.",
    "cmd": "Operator commands: one line for each thing that an operator does.",
    "sql": "Print the governed SQL of a command instead of running it.",
    "completion": "Print the completion script of a shell.",
}


@click.group(
    cls=Root,
    commands_of=_COMMANDS,
    epilog=examples("iucore db up", "iucore --format json piece list --prefix policies/"),
)
@click.version_option(__version__, prog_name="iucore", message="%(prog)s %(version)s")
def main() -> None:
    """Governed text pieces in PostgreSQL, composed into documents, rendered byte for byte.

    What only reads goes to IUCORE_DATABASE_READ_URL or DATABASE_READ_URL, such as a standby, where one is set.

    \b
    Exit codes: 0 done, 1 refused or failed, 2 usage, 3 differences found,
    4 permission, 5 conflict, 6 cannot connect, 130 interrupted.
    """
