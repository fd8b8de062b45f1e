"""The demo cluster: an embedded hub and agents in a scratch directory, filled, and gone when left."""

from __future__ import annotations

import getpass
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mezite.api.generated import nodes_pb2, roles_pb2, users_pb2
from mezite.client import methods
from mezite.client.contact import meet, parse_proxy
from mezite.client.hub import Hub
from mezite.client.local import admit
from mezite.client.login import enrol
from mezite.errors import Invalid, Unavailable
from tui import seed
from tui.embedded import PATIENCE_S, Cluster, cluster

CLUSTER_NAME: Final = "production"
LOOPBACK: Final = "127.0.0.1:0"


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo: what its one line of JSON says."""

    cluster: Cluster
    facts: dict[str, Any]


@contextmanager
def demo(directory: Path | None) -> Iterator[Demo]:
    """A filled cluster, once every node is online. A directory that was given stays, once it is filled."""
    if directory is None:
        with tempfile.TemporaryDirectory(prefix="mezite-demo-", ignore_cleanup_errors=True) as scratch:
            with cluster(Path(scratch)) as running:
                yield Demo(running, _filled(running, Path(scratch)))
        return
    existed = directory.exists()
    if existed and any(directory.iterdir()):
        raise Invalid(f"{directory} is not empty; the demo wants a directory of its own")
    with ExitStack() as undone:
        # Half a demo is of no use, and in the way of the next.
        undone.callback(_empty, directory, itself=not existed)
        with cluster(directory) as running:
            facts = _filled(running, directory)
            undone.pop_all()
            yield Demo(running, facts)


def _empty(directory: Path, *, itself: bool) -> None:
    for entry in directory.iterdir() if directory.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    if itself and directory.is_dir():
        directory.rmdir()


def _filled(running: Cluster, directory: Path) -> dict[str, Any]:
    said = running.start_hub(_hub_settings(directory))
    people, nodes = seed.people(), seed.nodes()
    with Hub(admit(directory)) as hub:
        hub.call(methods.ROLES_PUT, roles_pb2.PutRolesRequest(text=seed.roles()))
        order = nodes_pb2.CreateTokenRequest(roles=["node"], ttl_s=600, uses=len(nodes))
        token = hub.call(methods.TOKENS_CREATE, order).secret
        for node in nodes:
            running.start_agent(node.name, _agent_settings(directory, node, said), token)
        for person in people:
            _create(hub, person, said)
        _await_online(hub, running, len(nodes))
    by_name = {person.name: person for person in people}
    return {
        "pid": os.getpid(),
        "dir": str(directory),
        "cluster": said["cluster"],
        "auth": said["auth"],
        "ssh": said["ssh"],
        "tunnel": said["tunnel"],
        "web": said["web"],
        "ca_pin": said["ca_pin"],
        "users": {
            name: {"password": person.password, "roles": list(person.roles), "logins": list(person.logins)}
            for name, person in by_name.items()
        },
        "nodes": [node.name for node in nodes],
        "node_details": [
            {"name": node.name, "labels": node.labels, "logins": [getpass.getuser()]} for node in nodes
        ],
    }


def _create(hub: Hub, person: seed.Person, said: dict[str, Any]) -> None:
    """The first administrator is there already, and chooses a password; the others are made with one."""
    if person.name == "admin":
        contact = meet(
            parse_proxy(said["web"]), None, pins=(said["ca_pin"],), consent=lambda _cluster, _pins: False
        )
        enrol(contact, said["first_admin_token"], person.password)
        return
    hub.call(
        methods.USERS_CREATE,
        users_pb2.CreateUserRequest(
            name=person.name, roles=person.roles, logins=person.logins, password=person.password
        ),
    )


def _await_online(hub: Hub, running: Cluster, count: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while True:
        found = hub.call(methods.NODES_LIST, nodes_pb2.ListNodesRequest(all=True)).nodes
        if sum(node.status == "online" for node in found) >= count:
            return
        running.check()
        if time.monotonic() > end:
            absent = {daemon.name for daemon in running.daemons} - {"hub"} - {node.name for node in found}
            said = "; ".join(
                f"{one.name}: {one.last_words()}" for one in running.daemons if one.name in absent
            )
            raise Unavailable(f"only {len(found)} of {count} nodes came. {said}")
        time.sleep(0.05)


def _hub_settings(directory: Path) -> dict[str, str]:
    return {
        "MEZITE_CLUSTER_NAME": CLUSTER_NAME,
        "MEZITE_DATA_DIR": str(directory),
        "MEZITE_AUTH_LISTEN_ADDR": LOOPBACK,
        "MEZITE_PROXY_SSH_LISTEN_ADDR": LOOPBACK,
        "MEZITE_PROXY_TUNNEL_LISTEN_ADDR": LOOPBACK,
        "MEZITE_PROXY_WEB_LISTEN_ADDR": LOOPBACK,
    }


def _agent_settings(directory: Path, node: seed.DemoNode, said: dict[str, Any]) -> dict[str, str]:
    return {
        "MEZITE_DATA_DIR": str(directory / "nodes" / node.name),
        "MEZITE_PROXY_ADDR": said["tunnel"],
        "MEZITE_AUTH_ADDR": said["auth"],
        "MEZITE_CA_PIN": said["ca_pin"],
        "MEZITE_NODE_NAME": node.name,
        "MEZITE_NODE_LABELS": ",".join(f"{key}={value}" for key, value in node.labels.items()),
    }
