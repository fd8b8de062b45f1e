"""Noise on the wire: whatever a client sends, that connection ends and the next one is served."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mezite.api.tunnel.orders import Told
from tests.support.nodes import until
from tests.support.openssh import MISSING
from tests.support.sshd import Node, node

pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING)]

ROUNDS = 60


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as served:
        yield served


def packet(payload: bytes) -> bytes:
    """As before any keys are agreed on: a length, the length of the padding, both in the clear."""
    padding = 8 - (len(payload) + 5) % 8 + 8
    body = bytes([padding]) + payload + bytes(padding)
    return len(body).to_bytes(4, "big") + body


def noise(rng: random.Random) -> bytes:
    match rng.randrange(4):
        case 0:
            return rng.randbytes(rng.randrange(1, 3_000))
        case 1:
            return b"SSH-2.0-noise\r\n" + rng.randbytes(rng.randrange(3_000))
        case 2:
            return b"SSH-2.0-noise\r\n" + packet(rng.randbytes(rng.randrange(1, 300)))
        case _:
            # Begins like an offer of algorithms, and is none.
            return b"SSH-2.0-noise\r\n" + packet(b"\x14" + rng.randbytes(rng.randrange(300)))


async def test_noise_ends_its_own_connection_alone(served: Node, rng: random.Random) -> None:
    for _ in range(ROUNDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(noise(rng))
        writer.write_eof()
        while await reader.read(65_536):
            pass
        writer.close()
    assert (await served.ssh("echo still here")).stdout == b"still here\n"


async def test_a_client_that_vanishes_takes_its_programs_along(served: Node) -> None:
    async with served.talking("echo $$ ready; exec sleep 60", "-tt") as talk:
        pid = int((await talk.until(b"ready")).split()[0])
    await until(lambda: not served.connections[0].sessions)
    await until(lambda: not Path(f"/proc/{pid}").exists())
    assert [each["exit_status"] for each in served.tells(Told.SESSION_END)] == [-1]
