"""`mezctl roles`: documents in, documents out. The hub alone reads what they say."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Final

import click

from mezite.cli.flags import example, formatted
from mezite.cli.lazy import LazyGroup
from mezite.cli.mezctl.acting import Choice, choice
from mezite.cli.output import Form, show_data, show_list
from mezite.plain import plain

if TYPE_CHECKING:
    from mezite.api.generated.roles_pb2 import Role

MAX_CHARS: Final = 1024 * 1024
_COLUMNS = (("NAME", "name"), ("BUILT IN", "builtin"), ("DESCRIPTION", "description"))


@click.group(
    cls=LazyGroup,
    aliases={"list": "ls"},
    epilog=example("mezctl roles ls", "mezctl roles get access", "mezctl roles create -f roles.yaml"),
)
def roles() -> None:
    """Roles: what people may do. Written as YAML."""


@roles.command(
    epilog=example("mezctl roles create -f ssh-production.yaml", "mezctl roles create --force -f -")
)
@click.option(
    "-f",
    "--file",
    type=click.File("r", encoding="utf-8"),
    required=True,
    help="The document; - reads standard input.",
)
@click.option("--force", is_flag=True, help="Replace roles that exist.")
@formatted
@choice
def create(acting: Choice, file: IO[str], force: bool, form: Form) -> None:
    """Create all roles of a file, or none of them."""
    from mezite.api.generated.roles_pb2 import PutRolesRequest
    from mezite.client.methods import ROLES_PUT

    try:
        text = file.read(MAX_CHARS + 1)
    except UnicodeDecodeError:
        raise click.UsageError(f"{file.name} is not UTF-8 text") from None
    if len(text) > MAX_CHARS:
        raise click.UsageError(f"{file.name} is longer than {MAX_CHARS} characters")
    with acting.hub() as hub:
        saved = hub.call(ROLES_PUT, PutRolesRequest(text=text, replace=force)).roles
    if form is not Form.TEXT:
        show_data([_record(role) for role in saved], form)
        return
    for role in saved:
        click.echo(f"Role {plain(role.name)} {'saved' if force else 'created'}.")


@roles.command(epilog=example("mezctl roles ls --format=json"))
@formatted
@choice
def ls(acting: Choice, form: Form) -> None:
    """List roles."""
    from mezite.client.methods import ROLES_LIST

    with acting.hub() as hub:
        found = hub.pages(ROLES_LIST, lambda page: (page.roles, page.more), lambda role: role.name)
        show_list([_record(role) for role in found], _COLUMNS, form)


@roles.command(epilog=example("mezctl roles get access > access.yaml"))
@click.argument("name")
@formatted
@choice
def get(acting: Choice, name: str, form: Form) -> None:
    """Show a role as the document that `create` takes."""
    from mezite.api.generated.roles_pb2 import RoleName
    from mezite.client.methods import ROLES_GET

    with acting.hub() as hub:
        role = hub.call(ROLES_GET, RoleName(name=name))
    show_data(_document(role), Form.YAML if form is Form.TEXT else form)


@roles.command(epilog=example("mezctl roles delete ssh-production"))
@click.argument("name")
@choice
def delete(acting: Choice, name: str) -> None:
    """Delete a role nobody holds."""
    from mezite.api.generated.roles_pb2 import RoleName
    from mezite.client.methods import ROLES_DELETE

    with acting.hub() as hub:
        hub.call(ROLES_DELETE, RoleName(name=name))
    click.echo(f"Role {plain(name)} deleted.")


def _record(role: Role) -> dict[str, object]:
    return {
        "name": role.name,
        "description": role.description,
        "builtin": role.builtin,
        "revision": role.revision,
        "document": _document(role),
    }


def _document(role: Role) -> object:
    from mezite.errors import OurFault

    try:
        return json.loads(role.document)
    except ValueError:
        raise OurFault(f"the document of {role.name} does not read; do the versions match?") from None
