"""Real agents on real TLS against the real port: what works, and everything that must not."""

from __future__ import annotations

from pathlib import Path

from daemons.agent.tunnel import Phase
from daemons.hub.desk import nodes
from mezite.audit.events import Kind
from mezite.model.node import NodeStatus
from tests.support.nodes import running_agent, tunnel_hub, until


async def test_a_machine_joins_and_is_online(tmp_path: Path) -> None:
    async with tunnel_hub() as hub:
        token = await hub.token(labels={"env": "production"})
        async with running_agent(
            tmp_path, hub.address, labels={"os": "debian", "env": "mine"}, token=token
        ) as agent:
            await agent.reached(Phase.ONLINE)
            view = await nodes.get(hub.desk, hub.admin, "web-1")
            assert view.status is NodeStatus.ONLINE
            assert view.node.labels == {"os": "debian", "env": "production"}, "bound labels win"
            assert view.node.id == agent.node_id
            assert view.address == "127.0.0.1"
        await until(lambda: len(hub.tunnels.lines) == 0)
        (joined,) = await hub.events(Kind.NODE_JOINED)
        assert (joined.user, joined.node, joined.client_ip) == ("node:web-1", "web-1", "127.0.0.1")
