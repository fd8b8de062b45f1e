"""The composition root of the agent: the only place that names its clock, its directory and its hub."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from daemons.agent.asking import Questions
from daemons.agent.cgroups import Cgroups
from daemons.agent.connections import Connections
from daemons.agent.process import pam_service
from daemons.agent.reports import Reports
from daemons.agent.sshd import Surroundings
from daemons.agent.store import open_store
from daemons.agent.tunnel import Phase, Terms, Tunnel
from daemons.lifecycle import crew
from mezite import __version__, ids
from mezite.api.tunnel.frames import MAX_PAYLOAD
from mezite.api.tunnel.messages import Hello, encode
from mezite.api.tunnel.proof import parse_token
from mezite.clock import Clock, SystemClock
from mezite.config import AgentSettings
from mezite.errors import Invalid, SettingsError

ROOM_FOR_KEYS: Final = 16 * 1024
"""What a join says beside the labels."""


@asynccontextmanager
async def agent(
    settings: AgentSettings,
    *,
    clock: Clock | None = None,
    told: Callable[[Phase], None] = lambda _phase: None,
) -> AsyncIterator[Tunnel]:
    """An agent from its settings, serving until left. `told` hears how its tunnel fares."""
    clock = clock or SystemClock()
    terms = _terms(settings)
    with open_store(settings.data_dir) as store:
        tunnel = await asyncio.to_thread(Tunnel, terms, store, clock, told=told)
        if tunnel.membership is None and terms.token is None:
            raise SettingsError(
                [
                    "join_token: this machine has not joined; set MEZITE_JOIN_TOKEN to what "
                    "`mezctl tokens create --roles=node` prints"
                ]
            )
        reports = Reports(settings.data_dir, clock)
        around = Surroundings(
            clock=clock,
            questions=Questions(),
            reports=reports,
            cgroups=Cgroups.of_this_process(_mark(settings.data_dir)),
            silence=tunnel.silence,
            pam=pam_service(),
        )
        try:
            async with crew() as start:
                connections = Connections(around, dial=tunnel.dial, trust=tunnel.trust, start=start)
                tunnel.orders = connections
                start(tunnel.live(), name="tunnel")
                try:
                    yield tunnel
                finally:
                    await connections.cut_all("this node's agent stops")
        finally:
            around.cgroups.close()
            reports.close()


def _terms(settings: AgentSettings) -> Terms:
    assert settings.proxy_addr is not None, "held by the settings' own rules"
    faults: list[str] = []
    token = None
    if settings.join_token is not None:
        try:
            token = parse_token(settings.join_token.reveal())
        except Invalid as fault:
            faults.append(f"join_token: {fault.message}")
    if (
        len(encode(Hello(agent_version=__version__, labels=dict(settings.node_labels))))
        > MAX_PAYLOAD - ROOM_FOR_KEYS
    ):
        faults.append("node_labels: they are too long together; use fewer or shorter ones")
    name = settings.node_name or _host_name()
    if not ids.SLUG.fullmatch(name):
        faults.append("node_name: not set, and the host's name cannot be one; set MEZITE_NODE_NAME")
    if faults:
        raise SettingsError(faults)
    return Terms(settings.proxy_addr, name, settings.node_labels, token, settings.ca_pin)


def _mark(data_dir: Path) -> str:
    """This agent's among those of a machine, the same at each start: no two share a data directory."""
    return hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]


def _host_name() -> str:
    return socket.gethostname().partition(".")[0].lower()
