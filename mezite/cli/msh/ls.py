"""`msh ls`: the nodes one may reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mezite.cli.flags import PAIR, example, formatted
from mezite.cli.msh.here import logged_in
from mezite.cli.output import Form, show_list

if TYPE_CHECKING:
    from mezite.api.generated.nodes_pb2 import Node

_COLUMNS = (
    ("HOSTNAME", "hostname"), ("ROLE", "role"), ("STATUS", "status"), ("LABELS", "labels"),
    ("VERSION", "version"),
)  # fmt: skip


@click.command(epilog=example("msh ls", "msh ls --filter=env=production --filter=team=platform"))
@click.option(
    "--filter", "labels", type=PAIR, multiple=True, help="Only nodes with this label; all given must match."
)
@formatted
def ls(labels: tuple[tuple[str, str], ...], form: Form) -> None:
    """List the nodes you may reach."""
    from mezite.client import nodes
    from mezite.client.profiles import Profiles

    profile, _ = logged_in(Profiles())
    show_list([_record(node) for node in nodes.visible(profile.as_pass(), _all_of(labels))], _COLUMNS, form)


def _all_of(labels: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """No node has two values for one key, so asking for two asks for none."""
    found: dict[str, str] = {}
    for key, value in labels:
        if found.setdefault(key, value) != value:
            raise click.UsageError(f"no node can have both {key}={found[key]} and {key}={value}")
    return found


def _record(node: Node) -> dict[str, object]:
    return {
        "hostname": node.name,
        "id": node.id,
        "role": node.role,
        "status": node.status,
        "labels": dict(sorted(node.labels.items())),
        "version": node.version,
        "logins": list(node.logins),
    }
