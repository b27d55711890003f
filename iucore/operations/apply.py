"""A production apply, and the way back: preflight, lock, migrate, verify, inventory, proof, counts, evidence.

Both run under one run id, in one session that holds the migrators' lock from the moment in which the preflight is held
against the database again. What was seen and done is written down as evidence of the kind ``run``: once before the
first revision, and again at the end, whatever the end was.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy.exc import DBAPIError

import iucore
from iucore import errors, gates, inventory
from iucore.operations import backup, evidence, migrate, migration_plan, proof
from iucore.operations import preflight as checks
from iucore.operations.migration_plan import MODES, Direction, Measured, Step

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from iucore._call import Call
    from iucore.operations.evidence import Identity
    from iucore.operations.preflight import Check, Expected, Preflight

LOCK_TIMEOUT = "5s"
"""As in ``alembic/env.py``."""

PREFLIGHT_AGE = "15min"
"""How old a preflight may be when the lock is there."""

BACKWARDS = {
    4: "the base is wherever the database stands",
    6: "going back is also for a database that is not as it should be",
    7: "going back is also for a database that is not as it should be",
    8: "going back is also for a database that is not as it should be",
    11: "gates may be closed, and routes off, because something went wrong",
    12: "delivery may stand still because something went wrong",
    13: "it is about revisions that are still to come; that each undo.sql is there is looked at here",
}
"""The checks of the preflight that do not count on the way back, and why."""

_CONFLICTS = {
    "ACCESS SHARE": {"ACCESS EXCLUSIVE"},
    "ROW SHARE": {"EXCLUSIVE", "ACCESS EXCLUSIVE"},
    "ROW EXCLUSIVE": set(MODES[4:]),
    "SHARE UPDATE EXCLUSIVE": set(MODES[3:]),
    "SHARE": {*MODES[2:4], *MODES[5:]},
    "SHARE ROW EXCLUSIVE": set(MODES[2:]),
    "EXCLUSIVE": set(MODES[1:]),
    "ACCESS EXCLUSIVE": set(MODES),
}


@dataclass(frozen=True, slots=True)
class Moment:
    """A database before or after a run: ``inventory`` is as N/N, ``fingerprint`` the sha256 of the whole inventory."""

    at: datetime
    revision: str | None
    inventory: str
    differences: list[str]
    fingerprint: str
    counts: dict[str, int]
    gates: dict[str, bool]


@dataclass(frozen=True, slots=True)
class Run:
    """One apply or rollback.

    ``outcome``: ``begun`` (nothing else is known: it was killed), ``done``, ``failed`` (``error`` says why; the
    database stands at ``after``, where that could be asked) or ``unproven``: the revisions are applied, and what was
    looked at afterwards is not as it should be.
    """

    run: str
    direction: Direction
    goal: str
    outcome: Literal["begun", "done", "failed", "unproven"]
    error: str | None
    login: str
    iucore_version: str
    began: datetime
    ended: datetime | None
    preflight_at: datetime
    checks: list[Check]
    left_out: dict[int, str]
    backup: dict[str, Any] | None
    plan: list[Step]
    before: Moment
    after: Moment | None = None
    measured: list[Measured] = field(default_factory=list)
    proofs: list[proof.Proof] = field(default_factory=list)
    proofs_left_out: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What is the same for both directions. ``settings`` are those of ``migrate.upgrade``.

    The others are those of ``preflight``; ``backup_age`` None: as the target has it.
    """

    backups: Path
    target: str = "production"
    backup_age: str | None = None
    expected: Expected | None = None
    free_bytes: int | None = None
    preflight_age: str = PREFLIGHT_AGE
    settings: dict[str, str] = field(default_factory=dict)


Told = Callable[[str], None]


class RedError(errors.OperationError):
    """IU940: the preflight is red; ``checks`` are those that are."""

    def __init__(self, red: Sequence[Check], again: str) -> None:
        """Name each red check with its next step."""
        super().__init__(
            "the preflight is red, and nothing was done",
            sqlstate="IU940",
            detail="\n".join(f"{one.number} {one.name}: {one.figure}; next: {one.next}" for one in red),
            hint=f"Make them green one by one, then: {again}",
        )
        self.checks = list(red)


def apply(
    engine: Engine,
    revision: str = "head",
    *,
    options: Options,
    signed: Path | None = None,
    resolve: Callable[..., Call] | None = None,
    tell: Told = lambda _: None,
) -> Run | None:
    """Preflight, every revision up to ``revision`` under the migrators' lock, then verification and proofs.

    ``signed`` is a preflight that somebody has seen: the database must still be as it was then. ``resolve`` is that of
    ``proof.run``. None: the database is at the revision already, and nothing was done.

    Raises:
        iucore.errors.OperationError: IU940, the preflight is red; IU941, it is too old; IU942, it is of another
            database; IU943, the database changed since; IU944, the revisions are applied, and something is not as it
            should be; IU910, a session is in the way; and as ``migrate.upgrade``.
    """
    with _session(engine) as connection:
        at = _at(connection)
        goal = migrate.heads()[0] if revision == "head" else revision
        steps = _steps(at, goal, "up")
        if not steps:
            return None
        seen = _seen(connection, options, {}, "iucore db apply", signed)
        return _Runner(engine, connection, options, tell, seen, "up", goal, steps, resolve).run()


def rollback(
    engine: Engine,
    revision: str | None = None,
    *,
    options: Options,
    lose_rows: bool = False,
    tell: Told = lambda _: None,
) -> Run | None:
    """Undo revisions down to ``revision``, by the same road; where the newest run began, unless one is given.

    The checks in ``BACKWARDS`` do not count. All revisions are undone in one transaction, or none.

    Raises:
        iucore.errors.OperationError: IU903, rows would be lost; IU912, no run says where to go back to; and as
            ``apply``.
    """
    with _session(engine) as connection:
        at = _at(connection)
        goal = _begin_of_newest(connection) if revision is None else revision
        connection.rollback()
        steps = _steps(at, goal, "down")
        if not steps:
            return None
        if missing := [step.revision for step in steps if step.reversible == "no"]:
            raise errors.OperationError(
                "a revision has no way back",
                sqlstate="IU912",
                detail=f"no undo.sql: {', '.join(missing)}",
                hint="Restore the backup instead: iucore backup list",
            )
        seen = _seen(connection, options, BACKWARDS, f"iucore db rollback {goal}", None)
        settings = options.settings | ({"lose_rows": "yes"} if lose_rows else {})
        runner = _Runner(engine, connection, replace(options, settings=settings), tell, seen, "down", goal, steps, None)
        return runner.run()


def look(connection: Connection) -> Moment:
    """A database as it is now, in the caller's transaction."""
    revision = migrate.current_of(connection)
    found = inventory.actual(connection)
    expected = inventory.expected(revision) if revision is not None and revision in migrate.revisions() else []
    different = inventory.compare(expected, found)
    gone = sum(one.status != "unexpected" for one in different)
    gated = connection.exec_driver_sql("select to_regprocedure('iucore.fn_iu_gate_list()')").scalar() is not None
    return Moment(
        connection.exec_driver_sql("select clock_timestamp()").scalar_one(),
        revision,
        f"{len(expected) - gone}/{len(expected)}",
        [f"{one.status} {one.kind} {one.object}" for one in different],
        inventory.fingerprint(found),
        counts(connection),
        {gate.gate: gate.is_open for gate in gates.list_gates(connection)} if gated else {},
    )


def counts(connection: Connection) -> dict[str, int]:
    """How many rows each table of iucore has; partitions count with their table."""
    tables = connection.exec_driver_sql(
        "select c.relname::text from pg_class as c where c.relnamespace = to_regnamespace('iucore')"
        " and c.relkind in ('r', 'p') and not c.relispartition order by c.relname collate \"C\""
    ).scalars()
    return {
        table: int(connection.exec_driver_sql(f"select count(*) from iucore.{table}").scalar_one())  # noqa: S608
        for table in tables.all()
    }


def run_of(connection: Connection, run: str | None = None) -> dict[str, Any] | None:
    """What a run of this database wrote down last: the one with this id, or the newest; None: there is none at all.

    Raises:
        iucore.errors.OperationError: IU912, no run has this id.
    """
    found = evidence.every("run", evidence.identity(connection))
    chosen = next((one.body for one in found if run in (None, one.body["run"])), None)
    if chosen is None and run is not None:
        raise errors.OperationError(
            "no run has this id",
            sqlstate="IU912",
            detail=f"run: {run}, looked in: {evidence.folder()}",
            hint="The newest run of this database: iucore closeout",
        )
    return chosen


def body(run: Run) -> dict[str, Any]:
    """A run as JSON has it."""
    plain = _plain(asdict(run))
    assert isinstance(plain, dict)
    return plain


# ---------------------------------------------------------------------------------------------------- before the run


@contextmanager
def _session(engine: Engine) -> Iterator[Connection]:
    """A connection whose session is left as it was found."""
    names = ("search_path", "application_name")
    put = "select pg_catalog.set_config(%s, %s, false)"
    with engine.connect() as connection:
        ask = "select pg_catalog.current_setting(%s)"
        before = {name: connection.exec_driver_sql(ask, (name,)).scalar_one() for name in names}
        # No temporary table, and nothing of the login's own search_path, stands before ours.
        connection.exec_driver_sql(put, ("search_path", "pg_catalog, pg_temp"))
        connection.commit()
        try:
            yield connection
        finally:
            with suppress(DBAPIError):
                if not connection.invalidated:
                    connection.rollback()
                    for setting in before.items():
                        connection.exec_driver_sql(put, setting)
                    connection.commit()


def _at(connection: Connection) -> str | None:
    at = migrate.current_of(connection)
    connection.commit()
    return at


def _steps(at: str | None, goal: str, direction: Direction) -> list[Step]:
    steps = migration_plan.plan(at, goal)
    if steps and steps[0].direction != direction:
        verb = "rollback" if direction == "up" else "apply"
        raise errors.OperationError(
            f"the database is at {'a newer' if direction == 'up' else 'an older'} revision",
            sqlstate="IU912",
            detail=f"database: {at or 'base'}, asked for: {goal}",
            hint=f"To go there: iucore db {verb} {goal}",
        )
    return steps


def _begin_of_newest(connection: Connection) -> str:
    newest = evidence.newest("run", evidence.identity(connection))
    if newest is None:
        raise errors.OperationError(
            "no run of this database is known here, so that it is not clear where to go back to",
            sqlstate="IU912",
            detail=f"looked in: {evidence.folder()}",
            hint="Name the revision: iucore db rollback REVISION. What it would do: iucore db plan REVISION",
        )
    if newest.body["direction"] == "down":
        raise errors.OperationError(
            "the newest run went back already",
            sqlstate="IU912",
            detail=f"run: {newest.body['run']}, to: {newest.body['goal']}",
            hint="To go back further name the revision: iucore db rollback REVISION",
        )
    return str(newest.body["before"]["revision"] or "base")


def _seen(
    connection: Connection, options: Options, left_out: dict[int, str], again: str, signed: Path | None
) -> Preflight:
    """A preflight of now, green but for what does not count; that of ``signed`` must be of the same state."""
    given = None if signed is None else evidence.read(signed)
    with connection.begin():
        if given is not None:
            _bound(given, evidence.identity(connection), options)
        found = checks.preflight(
            connection,
            target=options.target,
            backups=options.backups,
            max_age=options.backup_age,
            expected=options.expected,
            free_bytes=options.free_bytes,
        )
    red = [one for one in found.checks if not one.green and one.number not in left_out]
    if red:
        raise RedError(red, again)
    if given is not None and given.body["state"] != found.state:
        raise _changed(f"the preflight of {given.made_at}")
    return found


def _bound(signed: evidence.Evidence, identity: Identity, options: Options) -> None:
    """Refuse a preflight that was of another database, is too old or was red."""
    if not identity.same_database(signed.identity):
        raise _other_database(signed.identity, identity)
    _young(signed.made_at, datetime.now(UTC), options)
    if not signed.body["green"]:
        raise errors.OperationError(
            "the preflight was red",
            sqlstate="IU940",
            detail=f"made at: {signed.made_at}",
            hint="Make a new one: iucore preflight",
        )


def _young(made_at: datetime, now: datetime, options: Options) -> None:
    # A clock that was set back must not make an old preflight young.
    age = now - made_at
    if not timedelta(minutes=-1) <= age <= timedelta(seconds=migrate.seconds(options.preflight_age)):
        raise errors.OperationError(
            "the preflight is too old",
            sqlstate="IU941",
            detail=f"made at: {made_at}, now: {now}, limit: {options.preflight_age}",
            hint="Make a new one: iucore preflight. Or begin again: iucore db apply",
        )


def _other_database(seen: Identity, found: Identity) -> errors.OperationError:
    return errors.OperationError(
        "the preflight is of another database",
        sqlstate="IU942",
        detail=f"preflight: system {seen.system_identifier}, {seen.database} (oid {seen.database_oid});"
        f" here: system {found.system_identifier}, {found.database} (oid {found.database_oid})",
        hint="Look where the URL leads: iucore db url. Then make a new one here: iucore preflight",
    )


def _changed(since: str) -> errors.OperationError:
    return errors.OperationError(
        "the database changed since the preflight, and nothing was done",
        sqlstate="IU943",
        detail=f"its revision, objects, gates or routes are not those of {since}",
        hint="Look what is there now, and begin again: iucore preflight",
    )


# ---------------------------------------------------------------------------------------------------------- the run


@dataclass(slots=True)
class _Runner:
    engine: Engine
    connection: Connection
    options: Options
    tell: Told
    seen: Preflight
    direction: Direction
    goal: str
    steps: list[Step]
    resolve: Callable[..., Call] | None

    def run(self) -> Run:
        """Everything under the lock; the evidence is written whatever happens."""
        connection, wait = self.connection, self.options.settings.get("wait", "5min")
        with migrate.alone(connection, wait=wait):
            with self._reading(connection):
                self._still_as_seen()
                begun = self._begun(look(connection))
            self._nobody_in_the_way()
            self._name(f"iucore run {begun.run}")
            self._write(begun)
            self.tell(f"run {begun.run}: {begun.before.revision or 'base'} -> {self.goal}")
            measured: list[Measured] = []
            try:
                with migration_plan.measuring(connection) as measured:
                    self._migrate()
                found = self._looked_at(replace(begun, measured=measured))
            except BaseException as error:
                failed = replace(begun, outcome="failed", error=_said(error), measured=measured)
                self._write(replace(failed, ended=datetime.now(UTC), after=self._where_it_stands()))
                self.tell(f"run {begun.run} failed; where the database stands: iucore db current")
                if isinstance(error, errors.OperationError):
                    raise self._explained(error, measured, begun) from error
                raise
            self._write(found)
        if found.outcome != "done":
            raise errors.OperationError(
                "the revisions are applied, and not all is as it should be",
                sqlstate="IU944",
                detail=f"run: {found.run}\n{found.error}",
                hint=f"Look: iucore closeout --run {found.run}. To go back: iucore db rollback",
            )
        return found

    def _still_as_seen(self) -> None:
        identity = evidence.identity(self.connection)
        if not identity.same_database(self.seen.identity):
            raise _other_database(self.seen.identity, identity)
        now: datetime = self.connection.exec_driver_sql("select clock_timestamp()").scalar_one()
        _young(self.seen.at, now, self.options)
        if checks.state(self.connection) != self.seen.state:
            raise _changed(f"the preflight of {self.seen.at}")

    def _begun(self, before: Moment) -> Run:
        login = str(self.connection.exec_driver_sql("select session_user").scalar_one())
        left_out = BACKWARDS if self.direction == "down" else {}
        return Run(
            run=uuid.uuid4().hex,
            direction=self.direction,
            goal=self.goal,
            outcome="begun",
            error=None,
            login=login,
            iucore_version=iucore.__version__,
            began=datetime.now(UTC),
            ended=None,
            preflight_at=self.seen.at,
            checks=self.seen.checks,
            left_out=left_out,
            backup=_newest_backup(self.options.backups, self.seen.identity),
            plan=self.steps,
            before=before,
        )

    def _nobody_in_the_way(self) -> None:
        """Wait for the transactions that hold a lock which a revision needs, without taking one: nobody queues behind.

        Those that begin later are for the lock_timeout of the revision itself.
        """
        needed: dict[str, set[str]] = {"public.iucore_alembic_version": _CONFLICTS["ROW EXCLUSIVE"]}
        for step in self.steps:
            for lock in step.locks:
                needed[lock.table] = needed.get(lock.table, set()) | _CONFLICTS[lock.mode]
        timeout = self.options.settings.get("lock_timeout", LOCK_TIMEOUT)
        until = time.monotonic() + migrate.seconds(timeout)
        waited_for: set[str] | None = None
        while True:
            held: dict[str, list[str]] = {}
            with self.connection.begin():
                for row in self.connection.exec_driver_sql(_HOLDERS, execution_options={"no_parameters": True}):
                    if row.mode in needed.get(row.name, ()):
                        held.setdefault(row.virtualtransaction, []).append(f"{row.who} holds {row.mode} on {row.name}")
            waited_for = held.keys() & (held.keys() if waited_for is None else waited_for)
            if not waited_for:
                return
            if time.monotonic() >= until:
                raise errors.OperationError(
                    "another session holds a lock that the migration needs",
                    sqlstate="IU910",
                    detail="\n".join(sorted(line for key in waited_for for line in held[key])),
                    hint="Nothing was done. Type it again when that session has ended:"
                    " select pg_terminate_backend(PID) ends it.",
                )
            time.sleep(0.05)

    def _migrate(self) -> None:
        settings = dict(self.options.settings)
        if self.direction == "up":
            migrate.upgrade(self.connection, self.goal, **settings)
        else:
            lose_rows = settings.pop("lose_rows", "no") == "yes"
            migrate.downgrade(self.connection, self.goal, lose_rows=lose_rows, **settings)

    def _looked_at(self, run: Run) -> Run:
        """verify.sql, inventory, proof and counts of the database as it is now."""
        wrong = []
        with self._reading(self.connection):
            after = look(self.connection)
            if after.revision is not None:
                try:
                    migrate.verify(self.connection)
                except errors.OperationError as error:
                    wrong.append(f"verify.sql: {error}: {error.detail}")
            wrong += [f"inventory: {line}" for line in after.differences]
        proofs, left_out = [], None
        if self.direction == "down":
            left_out = "the way back is proven by the inventory of the older revision"
        elif after.revision not in migrate.heads():
            left_out = f"the proofs are for the newest revision, {migrate.heads()[0]}"
        else:
            proofs = list(proof.run(self.connection, resolve=self.resolve))
            wrong += [f"proof {one.name}: {one.shown}" for one in proofs if one.outcome == "fail"]
            self.tell(f"proofs: {tally(one.outcome for one in proofs)}")
        self.tell(f"revision {after.revision or 'base'}, inventory {after.inventory}")
        return replace(
            run,
            outcome="unproven" if wrong else "done",
            error="\n".join(wrong) or None,
            ended=datetime.now(UTC),
            after=after,
            proofs=proofs,
            proofs_left_out=left_out,
        )

    def _where_it_stands(self) -> Moment | None:
        """In a session of its own: that of the run may be gone."""
        failing = suppress(DBAPIError, errors.IucoreError)
        with failing, self.engine.connect() as connection, self._reading(connection):
            return look(connection)
        return None

    @contextmanager
    def _reading(self, connection: Connection) -> Iterator[None]:
        """A transaction that waits for no lock longer than a revision does."""
        with migrate.translated(), connection.begin():
            timeout = self.options.settings.get("lock_timeout", LOCK_TIMEOUT)
            connection.exec_driver_sql("select pg_catalog.set_config('lock_timeout', %s, true)", (timeout,))
            yield

    def _explained(
        self, error: errors.OperationError, measured: Sequence[Measured], begun: Run
    ) -> errors.OperationError:
        """The error with where the database stands now."""
        done = [one.revision for one in measured]
        stands = f"applied before: {', '.join(done)}" if done else "nothing was done"
        hint = error.hint
        if error.sqlstate == "IU903":
            hint = (
                "Keep them first: iucore backup create --to DIR (documents as text: iucore export KEY --to DIR)."
                f" Then go on without them: iucore db rollback {self.goal} --lose-rows"
            )
        return errors.OperationError(
            error.message, sqlstate=error.sqlstate, detail=f"{error.detail}\nrun: {begun.run}, {stands}", hint=hint
        )

    def _write(self, run: Run) -> None:
        evidence.write("run", self.seen.identity, body(run))

    def _name(self, name: str) -> None:
        """So that the server's log and pg_stat_activity show the run."""
        self.connection.exec_driver_sql("select pg_catalog.set_config('application_name', %s, false)", (name,))
        self.connection.commit()


# Locks of other sessions, and of prepared transactions, on our tables and views; partitions by the name of the table.
_HOLDERS = """
select l.virtualtransaction, upper(trim(regexp_replace(replace(l.mode, 'Lock', ''), '([A-Z])', ' \\1', 'g'))) as mode,
    case when n.nspname = 'iucore' then coalesce(r.relname, c.relname) else n.nspname || '.' || c.relname end as name,
    case when l.pid is null then 'a prepared transaction'
        else format('pid %s (%s)', l.pid, concat_ws(', ', a.usename, nullif(a.application_name, ''), a.state,
            'since ' || date_trunc('second', a.xact_start))) end as who
from pg_locks as l
join pg_class as c on c.oid = l.relation
join pg_namespace as n on n.oid = c.relnamespace
left join pg_class as r on c.relispartition and r.oid = pg_partition_root(c.oid)
left join pg_stat_activity as a on a.pid = l.pid
where l.locktype = 'relation' and l.granted and l.pid is distinct from pg_backend_pid()
    and l.database = (select d.oid from pg_database as d where d.datname = current_database())
    and (n.nspname = 'iucore' or c.oid = to_regclass('public.iucore_alembic_version'))
order by l.virtualtransaction, c.relname collate "C"
"""


def _newest_backup(folder: Path, identity: Identity) -> dict[str, Any] | None:
    """The facts of the backup on which the preflight relied."""
    for one in backup.backups(folder):
        if one.problem is None and identity.same_database(one.identity):
            return {name: getattr(one, name) for name in _BACKUP}
    return None


_BACKUP = (
    "folder",
    "made_at",
    "revision",
    "sha256",
    "bytes",
    "toc_entries",
    "server_version",
    "client_version",
    "iucore_version",
)


def tally(outcomes: Any) -> str:
    """How many of each outcome of proofs.

    >>> tally(["ok", "ok", "skip"])
    '2 ok, 0 failed, 1 skipped'
    """
    count = Counter(outcomes)
    return f"{count['ok']} ok, {count['fail']} failed, {count['skip']} skipped"


def _said(error: BaseException) -> str:
    return f"{error}" if isinstance(error, errors.IucoreError) else f"{type(error).__name__}: {error}".strip()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
