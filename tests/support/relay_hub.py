"""A hub reduced to its relays, to be killed: takes one pair, says so, and stays until it dies.

python -m tests.support.relay_hub DIRECTORY CONNECTION_ID CLIENT_FD AGENT_FD
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

from daemons.hub.proxy.relays import RelaySettings, relays


async def hub(directory: Path, connection_id: str, client: socket.socket, agent: socket.socket) -> None:
    async def told(connection_id: str, up: int, down: int, why: str) -> None:
        raise AssertionError("it dies before the pair does")

    async with relays(RelaySettings(directory, count=1), told) as pool:
        await pool.take(connection_id, client, agent)
        client.close()
        agent.close()
        print("taken", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    _, where, name, *descriptors = sys.argv
    asyncio.run(hub(Path(where), name, *(socket.socket(fileno=int(number)) for number in descriptors)))
