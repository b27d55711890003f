"""``iucore route``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import click

from iucore import routes
from iucore.cli._base import Change, Group, examples, pass_context, writes
from iucore.cli._context import Context
from iucore.cli._errors import GATEKEEPER
from iucore.cli._input import milliseconds, number, parse_json, position
from iucore.cli._output import emit_one, emit_rows
from iucore.errors import NotFoundError, OperationError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from iucore.operations import health

# How many dead letters one call takes.
_MOST = 10_000


@click.group(cls=Group, epilog=examples("iucore route list", "iucore route off unit.edited -m 'the receiver is down'"))
def route() -> None:
    """Routes: where events go.

    Nothing leaves until the route is on, the gate delivery is open and the worker was started to send.
    """


@route.command("list", epilog=examples("iucore route list", "iucore route list --format json"))
@pass_context
def list_(context: Context) -> None:
    """List the routes: whether each could send, how far it is behind, what is sent again and what died.

    The lag is that of its type of events, whatever its filter takes.
    """
    if context.recorder is not None:
        context.call(routes.list_routes)
    from iucore.operations import health

    with context.transaction(snapshot=True) as connection:
        found = health.routes(connection)
    if context.shape == "table":
        emit_rows(context, _Line, [_Line(*(getattr(each, one.name) for one in fields(_Line))) for each in found])
    else:
        emit_rows(context, health.RouteHealth, found)


@dataclass(frozen=True, slots=True)
class _Line:
    """What of a route is in a table."""

    route: str
    event_type: str | None
    mode: str
    lag_events: int
    lag_seconds: float | None
    retries: int
    deferred: int
    dead: int
    last_error: str | None


@dataclass(frozen=True, slots=True)
class _Shown(routes.RouteSetting):
    """A route with its setting and how it fares."""

    mode: str
    lag_events: int
    lag_seconds: float | None
    dead: int
    last_error: str | None
    cursors: list[health.RoutePart]
    waiting: list[health.Waiting]


@route.command(
    role=GATEKEEPER, epilog=examples("iucore route show unit.edited", "iucore route show unit.edited --format json")
)
@click.argument("name", metavar="ROUTE")
@pass_context
def show(context: Context, name: str) -> None:
    """Show the route ROUTE: how it delivers, where it stands, and what it sends again.

    Of what it sends again, the first thousand positions.
    """
    if context.recorder is not None:
        context.call(routes.show, route=name)
    from iucore.operations import health

    with context.transaction(snapshot=True) as connection:
        setting = routes.show(connection, route=name)
        (fares,) = health.routes(connection, route=name)
        shown = _Shown(
            **asdict(setting),
            mode=fares.mode,
            lag_events=fares.lag_events,
            lag_seconds=fares.lag_seconds,
            dead=fares.dead,
            last_error=fares.last_error,
            cursors=health.parts(connection, route=name),
            waiting=health.waiting(connection, route=name),
        )
    context.committed = False
    emit_one(context, shown)


@route.command(
    role=GATEKEEPER,
    epilog=examples(
        'iucore route register search.edited --type unit.edited --title "To the search" -m search',
        "iucore route register audit.all --all-types --title Audit -m audit --actor ann",
    ),
)
@click.argument("name", metavar="ROUTE")
@click.option("--type", "event_type", metavar="TYPE", help="A registered type of events.")
@click.option("--all-types", is_flag=True, help="Instead of --type: events of every type, also of those to come.")
@click.option("--title", required=True, metavar="TITLE", help="Its name for people.")
@writes
@pass_context
def register(context: Context, name: str, event_type: str | None, all_types: bool, title: str, change: Change) -> None:
    """Register the route ROUTE for events of a type, or of all; it is off at first.

    It begins with what happens from now on; iucore route replay lets it begin earlier.
    """
    if (event_type is None) != all_types:
        raise click.UsageError("Give either --type or --all-types.")
    emit_one(context, context.call(routes.register, route=name, event_type=event_type, title=title, **change))


@route.command(
    role=GATEKEEPER,
    epilog=examples(
        "iucore route configure search.edited --transport webhook --target url=https://search.example/hook "
        "--target secret_env=SEARCH_SECRET -m search",
        "iucore route configure search.edited --transport file --target path=/var/lib/edited.jsonl --unordered "
        "--subject-prefix policies/ -m search",
    ),
)
@click.argument("name", metavar="ROUTE")
@click.option(
    "--transport", metavar="NAME", help="file, webhook, nats, kafka or your own; without it nothing can be sent."
)
@click.option(
    "--target",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="For the transport. A number or true is one; the same key again makes a list. No secrets: name variables of "
    "the worker's environment.",
)
@click.option("--target-json", metavar="JSON", help="Instead of --target: a JSON object.")
@click.option("--network", "networks", multiple=True, metavar="CIDR", help="May be sent to though it is not public.")
@click.option("--subject-prefix", metavar="PREFIX", help="Only events whose subject begins so.")
@click.option("--axis", metavar="AXIS=VALUE", help="Only events of pieces and collections that have this value.")
@click.option(
    "--ordered/--unordered", default=True, help="Send the events of a subject in their order, or as they come."
)
@click.option("--partitions", type=click.IntRange(1, 64), default=1, metavar="N", help="How many workers send at once.")
@click.option(
    "--max-attempts",
    type=click.IntRange(1, 100),
    default=8,
    metavar="N",
    help="After as many failures a dead letter; 8.",
)
@click.option("--backoff", type=milliseconds, default="1s", metavar="TIME", help="Before the second attempt; 1s.")
@click.option("--backoff-cap", type=milliseconds, default="5min", metavar="TIME", help="At most; 5min.")
@writes
@pass_context
def configure(
    context: Context,
    name: str,
    transport: str | None,
    pairs: tuple[str, ...],
    target_json: str | None,
    networks: tuple[str, ...],
    subject_prefix: str | None,
    axis: str | None,
    ordered: bool,
    partitions: int,
    max_attempts: int,
    backoff: int,
    backoff_cap: int,
    change: Change,
) -> None:
    """Say how the route ROUTE delivers: the whole of it; what is not given is as by default.

    It takes effect with the next batch. The target is checked here where the transport is installed.
    """
    key, sign, value = (axis or "").partition("=")
    if axis is not None and not sign:
        raise click.UsageError(f"--axis {axis}: write AXIS=VALUE.")
    target = _target(pairs, target_json)
    if transport is None and target:
        raise click.UsageError("A target is for a transport: add --transport.")
    if transport is not None:
        _check_target(context, transport, target, networks)
    done = context.call(
        routes.configure,
        route=name,
        transport=transport,
        target=target,
        networks=networks,
        subject_prefix=subject_prefix,
        axis=key if axis is not None else None,
        axis_value=value if axis is not None else None,
        ordered=ordered,
        partitions=partitions,
        max_attempts=max_attempts,
        backoff_ms=backoff,
        backoff_cap_ms=backoff_cap,
        **change,
    )
    emit_one(context, done)


def _target(pairs: tuple[str, ...], target_json: str | None) -> dict[str, Any]:
    """The target that the options give."""
    if target_json is not None:
        if pairs:
            raise click.UsageError("Give either --target or --target-json, not both.")
        found = parse_json(target_json, "--target-json", "IU039", """'{"url": "https://search.example/hook"}'""")
        if not isinstance(found, dict):
            raise click.UsageError("--target-json: give a JSON object.")
        return found
    target: dict[str, Any] = {}
    for pair in pairs:
        key, sign, text = pair.partition("=")
        if not sign or not key:
            raise click.UsageError(f"--target {pair.partition('=')[0]}: write KEY=VALUE.")
        value = _plain(text)
        if key in target:
            before = target[key]
            value = [*(before if isinstance(before, list) else [before]), value]
        target[key] = value
    return target


def _plain(text: str) -> Any:
    """A number, true or false as what it is; anything else as a text."""
    import json

    def text_after_all(name: str) -> None:
        raise ValueError(name)

    try:
        value = json.loads(text, parse_constant=text_after_all)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, bool | int | float) else text


def _check_target(context: Context, transport: str, target: dict[str, Any], networks: tuple[str, ...]) -> None:
    """Refuse a target that the transport refuses; where it is not installed, the worker will."""
    from iucore.delivery.transport import check_target

    try:
        check_target(transport, target, networks=networks)
    except OperationError as error:
        if error.sqlstate not in ("IU920", "IU921"):
            raise
        context.say(f"target not checked: {error.message} here ({error.detail})")


@route.command(
    role=GATEKEEPER,
    epilog=examples(
        'iucore route on unit.edited -m "the receiver is ready"', "iucore route on unit.edited -m ready --actor ann"
    ),
)
@click.argument("name", metavar="ROUTE")
@writes
@pass_context
def on(context: Context, name: str, change: Change) -> None:
    """Switch the route ROUTE on."""
    emit_one(context, context.call(routes.set_route, route=name, enabled=True, **change))


@route.command(
    role=GATEKEEPER,
    epilog=examples(
        'iucore route off unit.edited -m "the receiver is down"', "iucore route off unit.edited -m down --actor ann"
    ),
)
@click.argument("name", metavar="ROUTE")
@writes
@pass_context
def off(context: Context, name: str, change: Change) -> None:
    """Switch the route ROUTE off."""
    emit_one(context, context.call(routes.set_route, route=name, enabled=False, **change))


@route.command(
    role=GATEKEEPER,
    epilog=examples(
        "iucore route replay search.edited --all-dead -m 'the index is back'",
        "iucore route replay search.edited --dead 3 --dead 4 -m mended",
        "iucore route replay search.edited --positions 100-200 -m 'the index lost them'",
        "iucore route replay search.edited --from 1 -m 'a new index'",
    ),
)
@click.argument("name", metavar="ROUTE")
@click.option(
    "--dead", type=number, multiple=True, metavar="N", help="An open dead letter; may be given several times."
)
@click.option("--all-dead", is_flag=True, help=f"Every open dead letter of the route, up to {_MOST}.")
@click.option("--positions", metavar="A-B", help=f"The events from one position to another, up to {_MOST}.")
@click.option("--from", "first", type=number, metavar="POSITION", help="All from here on: the route goes back.")
@writes
@pass_context
def replay(
    context: Context,
    name: str,
    dead: tuple[int, ...],
    all_dead: bool,
    positions: str | None,
    first: int | None,
    change: Change,
) -> None:
    """Send events of the route ROUTE again. Receivers may hear what they heard; they know an event by its id."""
    _one_of(
        "--dead, --all-dead, --positions and --from", bool(dead), all_dead, positions is not None, first is not None
    )
    last = None
    if positions is not None:
        one, sign, other = positions.partition("-")
        try:
            first, last = number(one), number(other if sign else one)
        except click.BadParameter as error:
            raise click.UsageError(f"--positions {positions}: write A-B, such as 100-200.") from error
    letters = _open(context, routes.replay, name, change) if all_dead else dead
    done = context.call(routes.replay, route=name, dead_letters=letters or None, first=first, last=last, **change)
    emit_one(context, done)


@route.command(
    role=GATEKEEPER,
    epilog=examples(
        "iucore route skip search.edited --dead 3 -m 'the page is gone'",
        "iucore route skip search.edited --upto 1200 -m 'the index was built from the tables'",
    ),
)
@click.argument("name", metavar="ROUTE")
@click.option(
    "--dead", type=number, multiple=True, metavar="N", help="An open dead letter; may be given several times."
)
@click.option("--all-dead", is_flag=True, help=f"Every open dead letter of the route, up to {_MOST}.")
@click.option(
    "--position", "positions", type=number, multiple=True, metavar="P", help="An event that is to be sent again."
)
@click.option("--upto", type=number, metavar="POSITION", help="All up to here: the route moves on.")
@writes
@pass_context
def skip(
    context: Context,
    name: str,
    dead: tuple[int, ...],
    all_dead: bool,
    positions: tuple[int, ...],
    upto: int | None,
    change: Change,
) -> None:
    """Give events of the route ROUTE up: they will not be sent."""
    _one_of("--dead, --all-dead, --position and --upto", bool(dead), all_dead, bool(positions), upto is not None)
    letters = _open(context, routes.skip, name, change) if all_dead else dead
    done = context.call(
        routes.skip, route=name, dead_letters=letters or None, positions=positions or None, upto=upto, **change
    )
    emit_one(context, done)


def _one_of(names: str, *given: bool) -> None:
    if sum(given) != 1:
        raise click.UsageError(f"Give one of {names}.")


def _open(context: Context, verb: Callable[..., routes.MovedEvents], name: str, change: Change) -> list[int]:
    """The numbers of the open dead letters of a route, for the verb that closes them."""
    from iucore.operations import health

    found = context.read(health.dead_letters, route=name, limit=_MOST + 1)
    if not found:
        if context.recorder is None:
            # No dead letter has this number: but a missing role or a closed gate is refused first, as always.
            with suppress(NotFoundError):
                context.call(verb, route=name, dead_letters=[0], **change)
        raise NotFoundError(
            "no open dead letter",
            sqlstate="IU045",
            detail=f"route: {name}",
            hint="Look at all: iucore route dead --all",
        )
    if len(found) > _MOST:
        context.say(f"the first {_MOST}; type the command again for the rest")
    return [each.dead_letter for each in found[:_MOST]]


@route.command(
    epilog=examples("iucore route dead", "iucore route dead search.edited --all --format json"),
)
@click.argument("name", metavar="[ROUTE]", required=False)
@click.option("--all", "closed", is_flag=True, help="Also those that were replayed or skipped.")
@click.option("--after", type=position, metavar="N", help="Only dead letters after this one.")
@click.option("--limit", type=number, metavar="N", help="How many at most; else all.")
@pass_context
def dead(context: Context, name: str | None, closed: bool, after: int | None, limit: int | None) -> None:
    """List the open dead letters of ROUTE, or of all routes: events that were given up, and why."""
    from iucore.operations import health

    context.reads_views()
    found = context.pages(
        _dead, lambda one: str(one.dead_letter), after=str(after or 0), limit=limit, route=name, closed=closed
    )
    emit_rows(context, health.DeadLetter, found)


def _dead(connection: Connection, *, after: str, **given: Any) -> list[health.DeadLetter]:
    from iucore.operations import health

    return health.dead_letters(connection, after=int(after), **given)
