"""What an idle control line costs the hub: memory each, and the CPU of its keepalive.

    python tests/bench/bench_tunnels.py [LINES]

The hub runs in this process; the nodes are in another, so that only the hub's side is measured. Beside it
stands the same number of connections by asyncio's own TLS, which do nothing at all.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from daemons.agent import dialling, joining
from daemons.agent.identity import Membership, NodeKeys
from daemons.agent.joining import Wish
from daemons.hub.proxy.tunnels import Limits
from daemons.hub.server_tls import ServerTls
from mezite.api.tunnel.messages import Hello, Ping, Pong
from mezite.api.tunnel.proof import parse_token
from mezite.clock import SystemClock
from mezite.config import Address
from tests.support.nodes import open_desk, tunnel_hub

LINES = int(sys.argv[1]) if len(sys.argv) > 1 else 500
KEEPALIVE_S = 2.0
AT_ONCE = 20
"""Handshakes at one time. Many at once leave the process larger, by what malloc keeps for the next time."""


def resident_bytes() -> int:
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def nodes(port: int, token_text: str, count: int) -> None:
    """The other process: joins `count` nodes, holds their lines, says so, and answers pings."""
    address, token = Address("127.0.0.1", port), parse_token(token_text)
    begun = time.perf_counter()
    members: list[tuple[NodeKeys, Membership]] = []
    for number in range(count):
        keys = NodeKeys.generate()
        line = await dialling.to_join(address)
        wish = Wish(f"node-{number}", {"env": "production", "team": "platform"}, "0.1.0", token)
        members.append((keys, await joining.join(line, wish, keys, None)))
        line.close()
    joined_s = time.perf_counter() - begun
    print(json.dumps({"joined_s": joined_s}), flush=True)
    sys.stdin.readline()

    gate = asyncio.Semaphore(AT_ONCE)

    async def stay(keys: NodeKeys, membership: Membership) -> None:
        async with gate:
            line = await dialling.as_node(address, membership, keys)
            line.send(Hello(agent_version="0.1.0", labels={"env": "production", "team": "platform"}))
            await line.receive()
        arrived.append(1)
        if len(arrived) == count:
            print(json.dumps({"online_s": time.perf_counter() - begun}), flush=True)
        while True:
            message = await line.receive()
            if isinstance(message, Ping):
                line.send(Pong(number=message.number))

    arrived: list[int] = []
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for keys, membership in members:
            group.create_task(stay(keys, membership))


@asynccontextmanager
async def other_process(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, str(LINES), *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def said(process: asyncio.subprocess.Process) -> dict[str, float]:
    assert process.stdout is not None
    answer: dict[str, float] = json.loads(await process.stdout.readline())
    return answer


async def ours() -> None:
    limits = replace(Limits(), keepalive_s=KEEPALIVE_S, half_open=100_000, half_open_per_address=100_000)
    async with tunnel_hub(limits=limits) as hub:
        token = await hub.token(uses=LINES)
        async with other_process(str(hub.port), token.text) as process:
            joined_s = (await said(process))["joined_s"]
            before = resident_bytes()
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            online_s = (await said(process))["online_s"]
            await asyncio.sleep(2 * KEEPALIVE_S)
            after = resident_bytes()
            used = resource.getrusage(resource.RUSAGE_SELF)
            await asyncio.sleep(4 * KEEPALIVE_S)
            later = resource.getrusage(resource.RUSAGE_SELF)
            assert len(hub.tunnels.lines) == LINES
    cpu_s = later.ru_utime + later.ru_stime - used.ru_utime - used.ru_stime
    print(f"joins, one after another   {LINES / joined_s:8.0f} /s")
    print(f"lines opened, 20 at a time {LINES / online_s:8.0f} /s")
    print(f"memory per idle line       {(after - before) / LINES / 1024:8.1f} KB   (promised: 50)")
    print(f"one ping and its answer    {cpu_s / (4 * LINES) * 1e6:8.0f} µs of CPU")


async def asyncio_tls() -> None:
    held: list[asyncio.StreamWriter] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        while await reader.read(1):
            pass

    async with open_desk(SystemClock()) as desk:
        context = ServerTls(desk.keyring, "hub", SystemClock(), ("127.0.0.1",)).context()
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        server = await asyncio.start_server(hold, sock=listener, ssl=context)
        before = resident_bytes()
        async with other_process("plain", str(listener.getsockname()[1])) as process:
            await said(process)
            after = resident_bytes()
        server.close()
    print(f"asyncio's TLS, idle        {(after - before) / LINES / 1024:8.1f} KB")


async def plain(port: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    held = []
    for _ in range(LINES):
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(b"one byte")
        held.append(writer)
    await asyncio.sleep(1)
    print(json.dumps({"lines": LINES}), flush=True)
    await asyncio.sleep(60)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    match sys.argv[2:]:
        case ["plain", port]:
            asyncio.run(plain(int(port)))
        case [port, token]:
            asyncio.run(nodes(int(port), token, LINES))
        case _:
            print(f"{LINES} idle control lines of nodes at one hub")
            asyncio.run(ours())
            asyncio.run(asyncio_tls())


if __name__ == "__main__":
    main()
