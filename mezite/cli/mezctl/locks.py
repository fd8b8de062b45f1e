"""`mezctl locks`: who or what is shut out, at once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from mezite.cli.flags import DURATION, example, formatted
from mezite.cli.lazy import LazyGroup
from mezite.cli.mezctl.acting import Choice, choice
from mezite.cli.output import Form, moment, show_list, show_one, time_or_none
from mezite.plain import plain

if TYPE_CHECKING:
    from mezite.api.generated.locks_pb2 import Lock

TARGETS = ("user", "node", "login", "role", "request", "session", "cert")
_COLUMNS = (
    ("ID", "id"), ("TARGET", "target"), ("NAME", "name"), ("EXPIRES", "expires_at"), ("IN FORCE", "in_force"),
    ("CREATED BY", "created_by"), ("MESSAGE", "message"),
)  # fmt: skip


@click.group(
    cls=LazyGroup,
    aliases={"list": "ls"},
    epilog=example("mezctl locks create --user=alice --ttl=1h", "mezctl locks ls"),
)
def locks() -> None:
    """Locks: shut a user, node, login, role, request, session or certificate out."""


@locks.command(
    epilog=example(
        "mezctl locks create --user=alice --message='Laptop stolen'",
        "mezctl locks create --node=web-server-01 --ttl=30m",
    )
)
@click.option("--user", metavar="NAME", help="A user.")
@click.option("--node", metavar="NAME", help="A node.")
@click.option("--login", metavar="LOGIN", help="An OS login, on every node.")
@click.option("--role", metavar="NAME", help="A role.")
@click.option("--request", metavar="ID", help="An access request.")
@click.option("--session", metavar="ID", help="A session.")
@click.option("--cert", metavar="SERIAL", help="A certificate.")
@click.option("--ttl", type=DURATION, help="How long. [default: until it is deleted]")
@click.option("--message", default="", help="What the person who is shut out is told.")
@formatted
@choice
def create(acting: Choice, /, ttl: timedelta | None, message: str, form: Form, **targets: str | None) -> None:
    """Lock something. What it stands for ends at once."""
    from mezite.api.generated.locks_pb2 import CreateLockRequest
    from mezite.client.methods import LOCKS_CREATE

    named = [(target, name) for target, name in targets.items() if name is not None]
    if len(named) != 1:
        raise click.UsageError(
            f"lock one thing; give one of {', '.join('--' + target for target in TARGETS)}"
        )
    target, name = named[0]
    wanted = CreateLockRequest(
        target=target, name=name, message=message, ttl_s=int(ttl.total_seconds()) if ttl else 0
    )
    with acting.hub() as hub:
        lock = hub.call(LOCKS_CREATE, wanted)
    if form is not Form.TEXT:
        show_one(_record(lock), (), form)
        return
    ends = time_or_none(lock.expires_us)
    until = f"until {moment(ends)}" if ends else "until it is deleted"
    click.echo(f"Lock created: {plain(lock.id)} ({plain(lock.target)} {plain(lock.name)}, {until})")


@locks.command(epilog=example("mezctl locks ls --format=json"))
@formatted
@choice
def ls(acting: Choice, form: Form) -> None:
    """List locks."""
    from mezite.client.methods import LOCKS_LIST

    with acting.hub() as hub:
        found = hub.pages(LOCKS_LIST, lambda page: (page.locks, page.more), lambda lock: lock.id)
        show_list([_record(lock) for lock in found], _COLUMNS, form)


@locks.command(epilog=example("mezctl locks delete lock_1a2b3c4d5e6f"))
@click.argument("lock_id", metavar="ID")
@choice
def delete(acting: Choice, lock_id: str) -> None:
    """Delete a lock."""
    from mezite.api.generated.locks_pb2 import LockId
    from mezite.client.methods import LOCKS_DELETE

    with acting.hub() as hub:
        hub.call(LOCKS_DELETE, LockId(id=lock_id))
    click.echo(f"Lock {plain(lock_id)} deleted.")


def _record(lock: Lock) -> dict[str, object]:
    return {
        "id": lock.id,
        "target": lock.target,
        "name": lock.name,
        "message": lock.message,
        "created_by": lock.created_by,
        "created_at": time_or_none(lock.created_us),
        "expires_at": time_or_none(lock.expires_us),
        "in_force": lock.in_force,
    }
