"""Users' connections to nodes: who went where under which certificate, and what is open there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mezite.model.identity import Identity


@dataclass(frozen=True, slots=True)
class Connection:
    """One SSH transport of one user to one node: from when it was allowed until its node has told all of it.

    A node is believed about a connection only if this says that it was dialled there.
    """

    id: str
    node_id: str
    user_id: str
    hub_id: str
    """Who let it in, or took it up again after that hub had gone."""
    identity: Identity
    """What the certificate said."""
    client_ip: str
    started_at: datetime
    mfa: bool = False
    """A second factor was proved for this very connection."""
    sessions: Mapping[str, str] = field(default_factory=dict)
    """Those open: session id to login. They count for `max_sessions`."""
    ended_at: datetime | None = None
    """It is over, and its node may still have reports of it to deliver."""
    revision: int = 0


@dataclass(frozen=True, slots=True)
class ReportMark:
    """How far a node's reports are written down: none is taken twice, in whatever order it comes again."""

    node_id: str
    heard: int
    revision: int = 0
