"""`mezctl audit`: the log, listed, followed, taken away and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

import click

from mezite.cli.flags import DURATION, MOMENT, NAMES, example, formatted
from mezite.cli.lazy import LazyGroup
from mezite.cli.mezctl import audit_pages
from mezite.cli.mezctl.acting import Choice, choice
from mezite.cli.output import Form, show_data, show_list
from mezite.plain import cut, plain

if TYPE_CHECKING:
    from mezite.api.generated.audit_pb2 import Event, EventFilter

F = TypeVar("F", bound=Callable[..., Any])

_COLUMNS = (("TIME", "time"), ("TYPE", "type"), ("USER", "user"), ("DETAILS", "details"))
_TAIL: Final = "{:<20}  {:<26}  {:<14}  {}"
"""Columns of a table whose last row is not known yet."""


@click.group(
    cls=LazyGroup,
    places={"verify": "mezite.cli.mezctl.audit_verify:verify"},
    aliases={"list": "ls"},
    epilog=example("mezctl audit ls --last=24h", "mezctl audit tail -f", "mezctl audit verify"),
)
def audit() -> None:
    """The audit log: list, follow, export, verify."""


def filtered(command: F) -> F:
    """Adds the filters that the log is asked with."""
    options = (
        click.option("--type", "types", type=NAMES, default=(), help="Only events of these types."),
        click.option("--user", default="", metavar="NAME", help="Only what this user did."),
        click.option("--node", default="", metavar="NAME", help="Only what concerns this node."),
        click.option("--request", default="", metavar="ID", help="Only what concerns this access request."),
        click.option("--session", default="", metavar="ID", help="Only what concerns this session."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@audit.command(
    epilog=example(
        "mezctl audit ls --last=24h",
        "mezctl audit ls --type=user.login,user.login.failed --user=alice --since=2026-03-24T10:00:00Z",
    )
)
@filtered
@click.option("--last", type=DURATION, help="Only of this long ago or less.")
@click.option("--since", type=MOMENT, help="Only from this time on.")
@click.option("--until", type=MOMENT, help="Only before this time.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="The newest so many."
)
@formatted
@choice
def ls(
    acting: Choice,
    /,
    last: timedelta | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    form: Form,
    **filters: Any,
) -> None:
    """List events, oldest first."""
    if last and since:
        raise click.UsageError("give --last or --since, not both")
    start = datetime.now(UTC) - last if last else since
    which = _filter(**filters, since=start, until=until)
    with acting.hub() as hub:
        events, more = audit_pages.newest(hub, which, limit)
    show_list(_records(events, form), _COLUMNS, form)
    if more:
        click.echo(f"mezctl: these are the newest {limit}; --limit=N shows more", err=True)


@audit.command(
    epilog=example("mezctl audit tail -f", "mezctl audit tail -f --type=user.login.failed --format=json")
)
@filtered
@click.option("-f", "--follow", is_flag=True, help="Go on with events as they happen.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0, 10_000),
    default=10,
    show_default=True,
    help="How many to begin with.",
)
@formatted
@choice
def tail(acting: Choice, /, follow: bool, lines: int, form: Form, **filters: Any) -> None:
    """Show the newest events, and go on with -f.

    As json, an object to each line.
    """
    which = _filter(**filters)
    show = _printer(form)
    with acting.hub() as hub:
        if form is Form.TEXT:
            click.echo(_TAIL.format(*(heading for heading, _ in _COLUMNS)))
        place, events = audit_pages.begin(hub, which, lines)
        for event in events:
            show(event)
        for event in audit_pages.follow(hub, which, place) if follow else ():
            show(event)


@audit.command(epilog=example("mezctl audit export > audit.jsonl", "mezctl audit export --out=audit.jsonl"))
@click.option(
    "--out",
    type=click.File("w", encoding="utf-8", lazy=True),
    default="-",
    metavar="FILE",
    help="Where to. [default: standard output]",
)
@click.option("--after", type=click.IntRange(0), default=0, help="Only events with numbers above this one.")
@choice
def export(acting: Choice, out: IO[str], after: int) -> None:
    """Write the whole log as JSON lines, with the hashes and signed heads that `verify` judges it by."""
    from mezite.api.generated.audit_pb2 import ExportEventsRequest
    from mezite.client.audit_file import line_of
    from mezite.client.methods import AUDIT_EXPORT

    with acting.hub() as hub:
        for link in hub.stream(AUDIT_EXPORT, ExportEventsRequest(after=after)):
            if line := line_of(link):
                out.write(line + "\n")
    out.flush()


def _filter(
    *,
    types: tuple[str, ...],
    user: str,
    node: str,
    request: str,
    session: str,
    since: datetime | None = None,
    until: datetime | None = None,
) -> EventFilter:
    from mezite.api.generated.audit_pb2 import EventFilter
    from mezite.clock import to_us

    return EventFilter(
        types=types,
        user=user,
        node=node,
        request_id=request,
        session_id=session,
        since_us=to_us(since) if since else 0,
        until_us=to_us(until) if until else 0,
    )


def _printer(form: Form) -> Callable[[Event], None]:
    import json
    import sys

    from mezite.audit.render import row, to_dict
    from mezite.cli.output import terminal_width

    def show(event: Event) -> None:
        match form:
            case Form.TEXT:
                line = plain(_TAIL.format(*row(_record(event))))
                room = terminal_width()
                click.echo(cut(line, room) if room else line)
            case Form.JSON:
                click.echo(json.dumps(to_dict(_record(event))))
            case Form.YAML:
                show_data([to_dict(_record(event))], form)
        sys.stdout.flush()

    return show


def _records(events: Iterable[Event], form: Form) -> list[dict[str, object]]:
    from mezite.audit.render import row, to_dict

    if form is Form.TEXT:
        return [
            dict(zip(("time", "type", "user", "details"), row(_record(event)), strict=True))
            for event in events
        ]
    return [to_dict(_record(event)) for event in events]


def _record(event: Event) -> Any:
    """As the audit room knows it; the hash stays at the hub unless the log is exported."""
    from mezite.audit.chain import Record

    return Record(event.seq, event.body, b"")
