"""The closeout: a report about a run, in Markdown, from what the run wrote down and from what is there now.

Each section says where its facts come from: ``run`` is the evidence of the run, ``now`` was measured in the caller's
transaction. It holds no password: nothing of a URL but what ``Target.display`` shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iucore import inventory
from iucore.operations import apply, evidence, health, migrate, migration_plan

if TYPE_CHECKING:
    from sqlalchemy import Connection

Body = Mapping[str, Any]


def report(connection: Connection, *, database: str, run: Body | None) -> str:
    """The report; ``database`` names it to people, ``run`` is the body of a run's evidence, None where there is none.

    Calls no governed function but ``fn_iu_gate_list``. The caller owns the transaction: at REPEATABLE READ all that is
    measured is of one moment.
    """
    return "".join(f"{line}\n" for line in _Report(connection, database, run).lines())


class _Report:
    def __init__(self, connection: Connection, database: str, run: Body | None) -> None:
        self.connection = connection
        self.database = database
        self.run = run
        self.identity = evidence.identity(connection)
        self.now = apply.look(connection)
        self.status = health.status(connection, look=False)

    def lines(self) -> Iterator[str]:
        """Every section, in an order that never changes."""
        name = "without a run" if self.run is None else f"of run {self.run['run']}"
        yield f"# Closeout {name}"
        yield ""
        yield "What stands under a heading with *run* was written down by the run; with *now* it was measured for this"
        yield f"report, at {_moment(self.now.at)}."
        for heading, section in (
            ("Outcome (run)", self._outcome),
            ("Database (now)", self._database),
            ("Revisions (run, now)", self._revisions),
            ("Backup (run, now)", self._backup),
            ("Preflight (run)", self._preflight),
            ("Objects (run)", self._objects),
            ("Inventory (run, now)", self._inventory),
            ("Rows (run, now)", self._rows),
            ("Proofs (run)", self._proofs),
            ("Delivery (now)", self._delivery),
            ("Gates (run, now)", self._gates),
            ("Ready to go back (now)", self._way_back),
            ("Ready to be switched off (now)", self._switch_off),
            ("What is wrong (now)", self._wrong),
            ("What was not done", self._not_done),
        ):
            yield ""
            yield f"## {heading}"
            yield ""
            yield from section()

    def _outcome(self) -> Iterable[str]:
        run = self.run
        if run is None:
            return ["No run of this database is known: only what is there now is reported."]
        means = {
            "done": "applied, verified and proven" if run["direction"] == "up" else "taken back and verified",
            "failed": "it ended with an error; each revision is whole or not there",
            "unproven": "the revisions are applied, and not all is as it should be",
            "begun": "it began and wrote no end: it was killed; each revision is whole or not there",
        }
        facts = {
            "outcome": f"{run['outcome']}: {means[run['outcome']]}",
            "direction": run["direction"],
            "began": _moment(run["began"]),
            "ended": _moment(run["ended"]),
            "login": run["login"],
            "iucore": run["iucore_version"],
            "error": run["error"],
        }
        return _table(("fact", "value"), [row for row in facts.items() if row[1] is not None])

    def _database(self) -> Iterable[str]:
        facts = {
            "database": self.identity.database,
            "reached as": self.database,
            "system identifier": self.identity.system_identifier,
            "server version": self.identity.server_version,
        }
        return _table(("fact", "value"), facts.items())

    def _revisions(self) -> Iterator[str]:
        run = self.run
        rows = [("now", self.now.revision or "base"), ("newest of this iucore", migrate.heads()[0])]
        if run is not None:
            after = "not known" if run["after"] is None else run["after"]["revision"] or "base"
            rows = [("before", run["before"]["revision"] or "base"), ("after", after), *rows]
        yield from _table(("when", "revision"), rows)
        if run is not None and run["measured"]:
            planned = {step["revision"]: step["title"] for step in run["plan"]}
            yield ""
            yield from _table(
                ("revision", "direction", "seconds", "strongest locks on tables that were there", "what"),
                [
                    (
                        one["revision"],
                        one["direction"],
                        f"{one['seconds']:.3f}",
                        ", ".join(f"{lock['table']} {lock['mode']}{_does(lock['does'])}" for lock in one["locks"]),
                        planned.get(one["revision"], ""),
                    )
                    for one in run["measured"]
                ],
            )

    def _backup(self) -> Iterable[str]:
        backup = None if self.run is None else self.run["backup"]
        if backup is None:
            return ["None was written down."]
        rows = [
            (f"{name} (run)", value) for name, value in sorted(backup.items()) if not isinstance(value, dict | list)
        ]
        there = Path(str(backup["folder"])).is_dir()
        return _table(("fact", "value"), [*rows, ("still there (now)", _yes(there))])

    def _preflight(self) -> Iterable[str]:
        if self.run is None:
            return ["Not made by a run. Make one: `iucore preflight`"]
        rows = []
        for one in self.run["checks"]:
            left_out = self.run["left_out"].get(str(one["number"]))
            verdict = "green" if one["green"] else "red" if left_out is None else "red, does not count"
            rows.append((one["number"], one["name"], verdict, one["looked_at"], one["figure"]))
        return _table(("number", "check", "verdict", "looked at", "figure"), rows)

    def _objects(self) -> Iterable[str]:
        if self.run is None or self.run["after"] is None:
            return ["Not known: no run says what was before."]
        known = migrate.revisions()
        states = [self.run["before"]["revision"], self.run["after"]["revision"]]
        if any(state not in (None, *known) for state in states):
            return ["Not known: a revision is of another iucore."]
        before, after = (
            {} if state is None else {(item.kind, item.object): item.fingerprint for item in inventory.expected(state)}
            for state in states
        )
        kinds: dict[str, Counter[str]] = {}
        for name in before.keys() | after.keys():
            if before.get(name) != after.get(name):
                word = "added" if name not in before else "dropped" if name not in after else "replaced"
                kinds.setdefault(name[0], Counter())[word] += 1
        if not kinds:
            return ["None added, replaced or dropped."]
        words = ("added", "replaced", "dropped")
        rows = [(kind, *(count[word] for word in words)) for kind, count in sorted(kinds.items())]
        total = ("all", *(sum(count[word] for count in kinds.values()) for word in words))
        return _table(("kind", *words), [*rows, total])

    def _inventory(self) -> Iterable[str]:
        run = self.run
        rows: list[tuple[Any, ...]] = [] if run is None else [("before (run)", *_inventory_of(run["before"]))]
        if run is not None and run["after"] is not None:
            rows.append(("after (run)", *_inventory_of(run["after"])))
        now = (self.now.inventory, "; ".join(self.now.differences) or "none", self.now.fingerprint)
        return _table(("when", "as declared", "differences", "fingerprint"), [*rows, ("now", *now)])

    def _rows(self) -> Iterable[str]:
        before = {} if self.run is None else self.run["before"]["counts"]
        after = {} if self.run is None or self.run["after"] is None else self.run["after"]["counts"]
        tables = sorted(before.keys() | after.keys() | self.now.counts.keys())
        return _table(
            ("table", "before (run)", "after (run)", "now"),
            [
                (table, *(counts.get(table, "") for counts in (before, after, self.now.counts)))
                for table in tables
                if any(counts.get(table) for counts in (before, after, self.now.counts))
            ],
        )

    def _proofs(self) -> Iterator[str]:
        if self.run is None or not self.run["proofs"]:
            why = None if self.run is None else self.run["proofs_left_out"]
            yield f"None: {why}." if why else "None was made. Make them: `iucore proof`"
            return
        yield f"{apply.tally(one['outcome'] for one in self.run['proofs'])}."
        yield ""
        rows = [(one["name"], one["outcome"], one["shown"]) for one in self.run["proofs"]]
        yield from _table(("proof", "outcome", "shown"), rows)

    def _delivery(self) -> Iterator[str]:
        found = self.status
        if not found.outbox:
            yield "This revision has no delivery."
            return
        attempts = self.connection.exec_driver_sql(
            "select a.outcome, count(*) from iucore.v_delivery_attempt as a group by a.outcome"
        )
        dead = self.connection.exec_driver_sql(
            "select d.state, count(*) from iucore.v_dead_letter as d group by d.state"
        )
        counted = {f"attempts {row[0]}": row[1] for row in attempts}
        letters = {f"dead letters {row[0]}": row[1] for row in dead}
        rows: list[tuple[str, Any]] = [
            ("events in the ledger: the last position", found.head),
            *((f"events without a place, lane {lane.lane}", lane.unsequenced) for lane in found.outbox),
            ("attempts in all", sum(counted.values())),
            *sorted({"attempts sent": 0, **counted}.items()),
            *sorted({"dead letters open": 0, **letters}.items()),
            ("routes that are on", sum(route.execution_enabled for route in found.routes)),
            ("routes that could send", sum(route.mode == "ready" for route in found.routes)),
            ("routes in all", len(found.routes)),
            ("workers seen", len(found.workers)),
        ]
        yield from _table(("fact", "value"), rows)

    def _gates(self) -> Iterable[str]:
        before = {} if self.run is None else self.run["before"]["gates"]
        rows = [
            (gate, *(("" if state is None else "open" if state else "closed") for state in (before.get(gate), is_open)))
            for gate, is_open in sorted(self.now.gates.items())
        ]
        return _table(("gate", "before (run)", "now"), rows) if rows else ["This revision has no gates."]

    def _way_back(self) -> Iterator[str]:
        goal = None if self.run is None else self.run["before"]["revision"] or "base"
        known = migrate.revisions()
        if goal is None or (self.now.revision or "base") not in ("base", *known):
            yield "No run says where to go back to. To any revision: `iucore db plan REVISION`"
            return
        steps = migration_plan.plan(self.now.revision, goal)
        if not steps or steps[0].direction == "up":
            yield f"The database is at {self.now.revision or 'base'}: there is nothing to take back to {goal}."
            return
        lost = {
            lock.table: self.now.counts[lock.table]
            for step in steps
            for lock in step.locks
            if lock.does == "drops" and self.now.counts.get(lock.table)
        }
        yield from _table(
            ("revision", "undo.sql", "loses"),
            [(step.revision, _yes(step.reversible != "no"), step.loses or "nothing") for step in steps],
        )
        yield ""
        if lost:
            named = ", ".join(f"{table} {count}" for table, count in sorted(lost.items()))
            yield f"Rows now in tables that would be dropped: {named}. Where the revision itself did not put them"
            yield "there, going back refuses (IU903). Keep them first: `iucore backup create --to DIR`"
        else:
            yield "No table that would be dropped has rows now."
        yield ""
        yield f"To go back: `iucore db rollback {goal}`"

    def _switch_off(self) -> Iterable[str]:
        may = self.connection.exec_driver_sql(
            "select coalesce((select pg_has_role(r.oid, 'usage') from pg_roles as r"
            " where r.rolname = 'iucore_gatekeeper'), false)"
        ).scalar_one()
        closed = [gate for gate, is_open in sorted(self.now.gates.items()) if not is_open]
        return [
            *_table(
                ("fact", "value"),
                [
                    ("this login may switch gates and routes", _yes(bool(may))),
                    ("gates that are closed", ", ".join(closed) or "none"),
                    ("routes that are on", sum(route.execution_enabled for route in self.status.routes)),
                ],
            ),
            "",
            "To stop sending: `iucore gate close delivery -m WHY`. To refuse every governed write:",
            "`iucore gate close master -m WHY`.",
        ]

    def _wrong(self) -> Iterable[str]:
        found = self.status.wrong
        return [f"* {_cell(one.what)}; next: `{_cell(one.next)}`" for one in found] or ["Nothing."]

    def _not_done(self) -> Iterable[str]:
        told = list(self._left_undone())
        return [f"* {_cell(one)}" for one in told] or ["Nothing was left out."]

    def _left_undone(self) -> Iterator[str]:
        run = self.run
        if run is None:
            yield "No run wrote anything down: neither preflight, nor backup, nor proofs are known."
            return
        for number, why in sorted(run["left_out"].items(), key=lambda item: int(item[0])):
            yield f"Check {number} of the preflight did not count: {why}."
        if run["outcome"] in ("begun", "failed"):
            yield "The run did not come to its end: nothing was verified or proven after it."
        if run["proofs_left_out"]:
            yield f"No proofs: {run['proofs_left_out']}."
        for one in run["proofs"]:
            if one["outcome"] == "skip":
                yield f"Proof {one['name']} was skipped: {one['shown']}."
        if run["after"] is not None and run["after"]["revision"] not in migrate.heads():
            yield f"The database was not taken to the newest revision, {migrate.heads()[0]}."
        if not any(route.mode == "ready" for route in self.status.routes):
            yield "Nothing is sent: no route is on and configured with the delivery gate open."


def _inventory_of(moment: Body) -> tuple[str, str, str]:
    return moment["inventory"], "; ".join(moment["differences"]) or "none", moment["fingerprint"]


def _does(does: str) -> str:
    return "" if does == "locks" else f" ({does})"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _moment(value: datetime | str | None) -> str | None:
    """In UTC, to the second."""
    if value is None:
        return None
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """A table of Markdown; what would end a cell is written as an entity.

    >>> _table(("a", "b"), [("x|y", 1)])
    ['| a | b |', '| --- | --- |', '| x&#124;y | 1 |']
    """
    body = [[_cell(value) for value in row] for row in rows]
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *body)]


def _cell(value: Any) -> str:
    return " ".join(str("" if value is None else value).split()).replace("|", "&#124;")
