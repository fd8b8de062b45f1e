"""A PostgreSQL behind a line that is cut right before a COMMIT arrives, or before its answer comes back."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.support.postgres import Cluster

Cut = Literal["before-commit", "after-commit"]


@dataclass
class Line:
    """Carries bytes both ways; each entry of `cuts` ends one connection at its next COMMIT."""

    directory: Path
    cuts: list[Cut] = field(default_factory=list)
    commits: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def carries(self, data: bytes) -> Cut | None:
        if b"COMMIT;\0" not in data:  # the statement, not the READ COMMITTED of a BEGIN
            return None
        self.commits += 1
        return self.cuts.pop(0) if self.cuts else None


@asynccontextmanager
async def severable(cluster: Cluster) -> AsyncIterator[Line]:
    with tempfile.TemporaryDirectory(prefix="mzcut-", dir="/tmp") as directory:
        line = Line(Path(directory))

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_unix_connection(str(cluster.socket))
            try:
                with suppress(ConnectionError):
                    await _carry(line, (reader, writer), (far_reader, far_writer))
            finally:
                for end in (writer, far_writer):
                    end.close()
                    with suppress(ConnectionError):
                        await end.wait_closed()

        server = await asyncio.start_unix_server(serve, line.directory / cluster.socket.name)
        async with server:
            yield line


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _carry(line: Line, near: Ends, far: Ends) -> None:
    severed = asyncio.Event()

    async def out() -> None:
        while data := await near[0].read(65536):
            cut = line.carries(data)
            if cut == "before-commit":
                break
            if cut == "after-commit":
                severed.set()  # whatever the server answers from here on is lost
            far[1].write(data)
            await far[1].drain()
        else:
            far[1].close()
            return
        near[1].close()
        far[1].close()

    async def back() -> None:
        while data := await far[0].read(65536):
            if severed.is_set():
                break
            near[1].write(data)
            await near[1].drain()
        near[1].close()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(out(), name="line-out")
        tasks.create_task(back(), name="line-back")
