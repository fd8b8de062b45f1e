"""Machines that are reached: nodes, the tokens they join with, and whether they are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class NodeStatus(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Node:
    """`bound_labels` came from the join token; the node cannot change them, they win over `own_labels`."""

    id: str
    name: str
    joined_at: datetime
    token_id: str
    own_labels: Mapping[str, str] = field(default_factory=dict)
    bound_labels: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    role: str = "node"
    revision: int = 0

    @property
    def labels(self) -> dict[str, str]:
        return {**self.own_labels, **self.bound_labels}


@dataclass(frozen=True, slots=True)
class Presence:
    """One live control line of one node at one hub. The node is online while that hub itself is alive."""

    node_id: str
    hub_id: str
    line_id: str
    since: datetime
    client_ip: str = ""
    revision: int = 0


@dataclass(frozen=True, slots=True)
class HubPulse:
    """A running hub says it is alive; what it vouches for is believed while `seen_at` is fresh."""

    hub_id: str
    started_at: datetime
    seen_at: datetime
    version: str = ""
    revision: int = 0


@dataclass(frozen=True, slots=True)
class JoinToken:
    """The right to join as a node. `secret_hash` keys the join proof; the secret is never stored or sent."""

    id: str
    secret_hash: bytes = field(repr=False)
    roles: tuple[str, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime
    uses_left: int | None = 1
    """None: as often as one likes until it expires."""
    node_name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0
