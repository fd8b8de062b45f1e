"""`mezctl nodes`: the machines that joined."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from mezite.cli.flags import PAIR, example, formatted
from mezite.cli.lazy import LazyGroup
from mezite.cli.mezctl.acting import Choice, choice
from mezite.cli.output import Form, show_list, show_one, time_or_none
from mezite.plain import plain

if TYPE_CHECKING:
    from mezite.api.generated.nodes_pb2 import Node
    from mezite.client.hub import Hub

_COLUMNS = (
    ("HOSTNAME", "hostname"), ("TYPE", "role"), ("STATUS", "status"), ("LABELS", "labels"),
    ("VERSION", "version"),
)  # fmt: skip
_LINES = (
    ("Hostname", "hostname"), ("ID", "id"), ("Type", "role"), ("Status", "status"), ("Labels", "labels"),
    ("Version", "version"), ("Address", "addr"), ("Joined", "joined_at"),
)  # fmt: skip


@click.group(
    cls=LazyGroup,
    aliases={"list": "ls"},
    epilog=example("mezctl nodes ls", "mezctl nodes ls --filter=env=production"),
)
def nodes() -> None:
    """Nodes: list, show, remove."""


@nodes.command(
    epilog=example("mezctl nodes ls", "mezctl nodes ls --filter=env=production --filter=team=platform")
)
@click.option(
    "--filter", "labels", type=PAIR, multiple=True, help="Only nodes with this label; all given must match."
)
@formatted
@choice
def ls(acting: Choice, labels: tuple[tuple[str, str], ...], form: Form) -> None:
    """List nodes."""
    with acting.hub() as hub:
        show_list([_record(node) for node in _all(hub, dict(labels))], _COLUMNS, form)


@nodes.command(epilog=example("mezctl nodes get web-server-01"))
@click.argument("name")
@formatted
@choice
def get(acting: Choice, name: str, form: Form) -> None:
    """Show a node, by name or id."""
    from mezite.api.generated.nodes_pb2 import NodeName
    from mezite.client.methods import NODES_GET

    with acting.hub() as hub:
        show_one(_record(hub.call(NODES_GET, NodeName(name=name))), _LINES, form)


@nodes.command(epilog=example("mezctl nodes rm web-server-01"))
@click.argument("name")
@choice
def rm(acting: Choice, name: str) -> None:
    """Remove a node; its name is free then."""
    from mezite.api.generated.nodes_pb2 import NodeName
    from mezite.client.methods import NODES_REMOVE

    with acting.hub() as hub:
        hub.call(NODES_REMOVE, NodeName(name=name))
    click.echo(f"Node {plain(name)} removed.")


def _all(hub: Hub, labels: dict[str, str]) -> Iterator[Node]:
    from mezite.api.generated.common_pb2 import Page
    from mezite.api.generated.nodes_pb2 import ListNodesRequest
    from mezite.client.hub import PAGE
    from mezite.client.methods import NODES_LIST

    after = ""
    while True:
        answer = hub.call(
            NODES_LIST, ListNodesRequest(filter=labels, page=Page(after=after, limit=PAGE), all=True)
        )
        yield from answer.nodes
        if not answer.more or not answer.nodes:
            return
        after = answer.nodes[-1].id


def _record(node: Node) -> dict[str, object]:
    return {
        "hostname": node.name,
        "id": node.id,
        "role": node.role,
        "status": node.status,
        "labels": dict(sorted(node.labels.items())),
        "version": node.version,
        "joined_at": time_or_none(node.joined_us),
        "addr": node.addr or None,
        "logins": list(node.logins),
    }
