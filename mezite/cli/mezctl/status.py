"""`mezctl status`: the cluster at a glance."""

from __future__ import annotations

import click

from mezite.cli.flags import example, formatted
from mezite.cli.mezctl.acting import Choice, choice
from mezite.cli.output import Form, show_one, time_or_none

_LINES = (
    ("Cluster", "cluster"), ("Version", "version"), ("CA pin", "ca_pin"), ("Hub", "hub_id"), ("Hubs", "hubs"),
    ("Database", "database"), ("Started", "started_at"), ("Users", "users"), ("Roles", "roles"),
    ("Nodes", "nodes"), ("Nodes online", "nodes_online"), ("Locks", "locks"),
    ("Audit events", "audit_events"), ("Audit head", "audit_head"),
)  # fmt: skip


@click.command(epilog=example("mezctl status", "mezctl --local status --format=json"))
@formatted
@choice
def status(acting: Choice, form: Form) -> None:
    """Show the cluster: its CA pin, and how many of everything there are."""
    from mezite.api.generated.common_pb2 import Empty
    from mezite.client.methods import STATUS_GET

    with acting.hub() as hub:
        now = hub.call(STATUS_GET, Empty())
    record: dict[str, object] = {
        "cluster": now.cluster,
        "version": now.version,
        "hub_id": now.hub_id,
        "hubs": now.hubs,
        "database": now.database,
        "started_at": time_or_none(now.started_us),
        "time": time_or_none(now.now_us),
        "users": now.users,
        "roles": now.roles,
        "nodes": now.nodes,
        "nodes_online": now.nodes_online,
        "locks": now.locks,
        "audit_events": now.audit_events,
        "audit_head": now.audit_head or None,
        "ca_pin": now.ca_pin,
    }
    show_one(record, _LINES, form)
