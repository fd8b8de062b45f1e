"""`mezctl users`: people and machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mezite.cli import prompts
from mezite.cli.flags import NAMES, PAIR, example, formatted, grouped
from mezite.cli.lazy import LazyGroup
from mezite.cli.mezctl.acting import Choice, choice
from mezite.cli.output import Form, moment, show_list, show_one, time_or_none
from mezite.plain import plain

if TYPE_CHECKING:
    from mezite.api.generated.users_pb2 import User, UserWithEnrolment
    from mezite.client.hub import Hub

_COLUMNS = (
    ("ID", "id"), ("USER", "name"), ("KIND", "kind"), ("ROLES", "roles"), ("LOGINS", "logins"),
    ("STATE", "state"), ("MFA", "mfa_enrolled"),
)  # fmt: skip
_LINES = (
    ("ID", "id"), ("User", "name"), ("Kind", "kind"), ("Roles", "roles"), ("Logins", "logins"),
    ("Traits", "traits"), ("State", "state"), ("MFA", "mfa_enrolled"), ("Owner", "owner"),
    ("Created", "created_at"), ("Created by", "created_by"),
)  # fmt: skip


@click.group(
    cls=LazyGroup,
    aliases={"list": "ls"},
    epilog=example("mezctl users ls", "mezctl users create alice --roles=access --logins=ubuntu"),
)
def users() -> None:
    """People and machines: create, change, list, delete, reset."""


@users.command(
    epilog=example(
        "mezctl users create alice --roles=access,can-request-production --logins=ubuntu",
        "mezctl users create ci --kind=machine --roles=access --owner=alice --trait team=platform",
    )
)
@click.argument("name")
@click.option("--roles", type=NAMES, default=(), help="Roles the user holds.")
@click.option("--logins", type=NAMES, default=(), help="OS logins, for roles that say {{user.logins}}.")
@click.option("--trait", "traits", type=PAIR, multiple=True, help="A trait; may be given several times.")
@click.option(
    "--kind",
    type=click.Choice(["human", "machine"]),
    default="human",
    show_default=True,
    help="A person, or a machine that somebody owns.",
)
@click.option("--owner", metavar="USER", default="", help="Who answers for a machine.")
@click.option("--password-stdin", is_flag=True, help="Read a password from standard input.")
@formatted
@choice
def create(
    acting: Choice,
    name: str,
    roles: tuple[str, ...],
    logins: tuple[str, ...],
    traits: tuple[tuple[str, str], ...],
    kind: str,
    owner: str,
    password_stdin: bool,
    form: Form,
) -> None:
    """Create a user.

    Without a password, prints the command by which the person sets one, once.
    """
    from mezite.api.generated.common_pb2 import Strings
    from mezite.api.generated.users_pb2 import CreateUserRequest
    from mezite.client.methods import USERS_CREATE

    wanted = CreateUserRequest(
        name=name,
        kind=kind,
        roles=roles,
        logins=logins,
        traits={key: Strings(values=values) for key, values in grouped(traits).items()},
        password=prompts.line_of_stdin("password") if password_stdin else None,
        owner=owner,
    )
    with acting.hub() as hub:
        answer = hub.call(USERS_CREATE, wanted)
        _show_invited(hub, answer, form, f"User {plain(name)} created.")


@users.command(
    epilog=example(
        "mezctl users update alice --add-roles=can-request-production",
        "mezctl users update alice --set-logins=ubuntu,alice --set-trait team=platform",
    )
)
@click.argument("name")
@click.option("--add-roles", type=NAMES, default=(), help="Roles to add.")
@click.option("--remove-roles", type=NAMES, default=(), help="Roles to take away.")
@click.option("--set-trait", "traits", type=PAIR, multiple=True, help="Replaces a trait; empty removes it.")
@click.option("--set-logins", type=NAMES, default=None, help="Replaces the logins; empty removes them.")
@formatted
@choice
def update(
    acting: Choice,
    name: str,
    add_roles: tuple[str, ...],
    remove_roles: tuple[str, ...],
    traits: tuple[tuple[str, str], ...],
    set_logins: tuple[str, ...] | None,
    form: Form,
) -> None:
    """Change a user's roles, traits or logins."""
    from mezite.api.generated.common_pb2 import Strings
    from mezite.api.generated.users_pb2 import UpdateUserRequest
    from mezite.client.methods import USERS_UPDATE

    if not (add_roles or remove_roles or traits or set_logins is not None):
        raise click.UsageError(
            "nothing to change; give --add-roles, --remove-roles, --set-trait or --set-logins"
        )
    edit = UpdateUserRequest(
        name=name,
        add_roles=add_roles,
        remove_roles=remove_roles,
        set_traits={key: Strings(values=values) for key, values in grouped(traits).items()},
        set_logins=Strings(values=set_logins) if set_logins is not None else None,
    )
    with acting.hub() as hub:
        show_one(_record(hub.call(USERS_UPDATE, edit)), _LINES, form)


@users.command(epilog=example("mezctl users ls", "mezctl users list --format=json"))
@formatted
@choice
def ls(acting: Choice, form: Form) -> None:
    """List users."""
    from mezite.client.methods import USERS_LIST

    with acting.hub() as hub:
        found = hub.pages(USERS_LIST, lambda page: (page.users, page.more), lambda user: user.name)
        show_list([_record(user) for user in found], _COLUMNS, form)


@users.command(epilog=example("mezctl users get alice"))
@click.argument("name")
@formatted
@choice
def get(acting: Choice, name: str, form: Form) -> None:
    """Show a user."""
    from mezite.api.generated.users_pb2 import UserName
    from mezite.client.methods import USERS_GET

    with acting.hub() as hub:
        show_one(_record(hub.call(USERS_GET, UserName(name=name))), _LINES, form)


@users.command(epilog=example("mezctl users delete alice"))
@click.argument("name")
@choice
def delete(acting: Choice, name: str) -> None:
    """Delete a user; what they hold ends at once."""
    from mezite.api.generated.users_pb2 import UserName
    from mezite.client.methods import USERS_DELETE

    with acting.hub() as hub:
        hub.call(USERS_DELETE, UserName(name=name))
    click.echo(f"User {plain(name)} deleted.")


@users.command(epilog=example("mezctl users reset alice --mfa"))
@click.argument("name")
@click.option("--mfa", is_flag=True, help="Remove the second factor too.")
@formatted
@choice
def reset(acting: Choice, name: str, mfa: bool, form: Form) -> None:
    """Take a user's password away; prints the command by which they set another, once."""
    from mezite.api.generated.users_pb2 import ResetUserRequest
    from mezite.client.methods import USERS_RESET

    with acting.hub() as hub:
        answer = hub.call(USERS_RESET, ResetUserRequest(name=name, mfa=mfa))
        _show_invited(hub, answer, form, f"User {plain(name)} reset; every login of theirs has ended.")


def _show_invited(hub: Hub, answer: UserWithEnrolment, form: Form, done: str) -> None:
    expires_at = time_or_none(answer.enrolment_expires_us)
    command = _enrolment(hub, answer.enrolment_token) if answer.enrolment_token else None
    if form is not Form.TEXT:
        invited = {
            "enrolment_token": answer.enrolment_token or None,
            "enrolment_command": command,
            "enrolment_expires_at": expires_at,
        }
        show_one(_record(answer.user) | invited, (), form)
        return
    click.echo(done)
    if command and expires_at:
        click.echo(f"To set a password, once, until {moment(expires_at)}:")
        click.echo(f"  {command}")


def _enrolment(hub: Hub, token: str) -> str:
    """What the person types. The pin is in it, so that the first contact asks them nothing."""
    from mezite.client.trust import authorities

    known = hub.who.hub
    pins = "".join(f" --ca-pin={authority.pin}" for authority in authorities(known.tls_authorities))
    return f"msh enrol --proxy={known.proxy} --token={plain(token)}{pins}"


def _record(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "name": user.name,
        "kind": user.kind,
        "roles": list(user.roles),
        "logins": list(user.logins),
        "traits": {key: list(strings.values) for key, strings in sorted(user.traits.items())},
        "state": "locked" if user.locked else "active" if user.enrolled else "not enrolled",
        "mfa_enrolled": user.mfa_enrolled,
        "enrolled": user.enrolled,
        "locked": user.locked,
        "owner": user.owner or None,
        "created_at": time_or_none(user.created_us),
        "created_by": user.created_by,
    }
