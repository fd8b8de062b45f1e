"""A single-machine cluster whose data is kept: hub and one agent, on the usual ports, under one command."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mezite.api.generated import nodes_pb2
from mezite.client import methods
from mezite.client.hub import Hub
from mezite.client.local import admit
from tui.embedded import Cluster, cluster


@dataclass(frozen=True, slots=True)
class Up:
    cluster: Cluster
    facts: dict[str, Any]

    def told(self) -> str:
        """Where it is and how to log in, for a person."""
        lines = [
            f"Cluster {self.facts['cluster']} is up; Ctrl-C (or SIGTERM) stops it.",
            f"Its data is kept in {self.facts['dir']}.",
            f"Log in:  msh login --proxy={self.facts['web']} --user=NAME --ca-pin={self.facts['ca_pin']}",
            f"Administer:  mezctl --data-dir={self.facts['dir']} status",
        ]
        if token := self.facts["first_admin_token"]:
            enrol = f"msh enrol --proxy={self.facts['web']} --ca-pin={self.facts['ca_pin']} --token={token}"
            lines += [
                "No user can log in yet. Become the first administrator, once, within a day:",
                f"  {enrol}",
            ]
        return "\n".join(lines)


@contextmanager
def up(directory: Path | None, name: str) -> Iterator[Up]:
    """Runs the cluster until left; the agent joins by itself at the first start."""
    place = directory or Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "mezite"
    with cluster(place) as running:
        said = running.start_hub({**_passed_on(), "MEZITE_DATA_DIR": str(place), "MEZITE_CLUSTER_NAME": name})
        running.start_agent("agent", _agent_settings(place, said), _token(place))
        yield Up(running, {**said, "pid": os.getpid(), "dir": str(place), "web": _local(said["web"])})


def _passed_on() -> dict[str, str]:
    """The hub's own settings that whoever runs `mezite up` has set, such as listen addresses."""
    kept = ("MEZITE_AUTH_", "MEZITE_PROXY_", "MEZITE_LOG_", "MEZITE_RECORDINGS_", "MEZITE_DATABASE_")
    return {key: value for key, value in os.environ.items() if key.startswith(kept)}


def _token(place: Path) -> str:
    with Hub(admit(place)) as hub:
        return hub.call(methods.TOKENS_CREATE, nodes_pb2.CreateTokenRequest(roles=["node"], ttl_s=600)).secret


def _agent_settings(place: Path, said: dict[str, Any]) -> dict[str, str]:
    return {
        "MEZITE_DATA_DIR": str(place / "node"),
        "MEZITE_PROXY_ADDR": _local(said["tunnel"]),
        "MEZITE_AUTH_ADDR": _local(said["auth"]),
        "MEZITE_CA_PIN": said["ca_pin"],
        "MEZITE_NODE_NAME": _node_name(),
    }


def _node_name() -> str:
    name = "".join(
        letter if letter.isalnum() and letter.isascii() else "-" for letter in socket.gethostname().lower()
    )
    return name.split(".")[0].strip("-")[:63] or "localhost"


def _local(address: str) -> str:
    return f"127.0.0.1{address}" if address.startswith(":") else address
