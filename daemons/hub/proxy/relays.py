"""The relay processes of this hub, `<data_dir>/relays/`: found or started, given pairs, told to cut.

1. A relay that is found running is adopted with all it carries, whichever hub started it.
2. Relays of another release, and those that drain, keep their pairs and are given no others.
3. There are always `count` that take pairs: for each that ceases to, another is started.
   Those that the service manager starts are as good; it is also who stops them.
4. Nobody is asked twice to take a pair unless the first has said no: two relays on one socket would each
   get half of what it says.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import re
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from daemons.hub.proxy.carrier import Carrier, Told, pair_id
from daemons.hub.relay.wire import Take
from daemons.lifecycle import Start, crew
from mezite import __version__
from mezite.config.load import END_WITH
from mezite.errors import SettingsError, Unavailable
from mezite.quoting import quoted

log = logging.getLogger(__name__)

KEPT_VARIABLES: Final = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TZ")
"""A relay holds no secret, and the hub's environment may have one."""
LOG_FILE: Final = "relays.log"
START_S: Final = 20.0
LEAVE_S: Final = 5.0
REPLACED_S: Final = 5.0
"""How long a pair waits for a relay when all have died."""
TRY_AGAIN_S: Final = 5.0


class Leaving(Enum):
    """What becomes of the relays when the hub stops in good order."""

    STAY = "they wait for the next hub"
    DRAIN = "each ends with its last pair"
    END = "they end, and their pairs with them"


@dataclass(frozen=True, slots=True)
class RelaySettings:
    directory: Path
    count: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    end_with: int | None = None
    """The process that the relays started here do not outlive; the hub itself is no such process."""
    leaving: Leaving = Leaving.DRAIN
    idle_s: float = 600.0
    release: str = __version__


def process_to_end_with(environment: Mapping[str, str]) -> int | None:
    """Who starts a whole cluster for a while names itself here, so that nothing of it stays behind."""
    text = environment.get(END_WITH, "")
    if text and not re.fullmatch("[0-9]{1,10}", text):
        raise SettingsError([f"{END_WITH}: {quoted(text)} is no process id"])
    return int(text) if text else None


class Relays:
    def __init__(self, settings: RelaySettings, told: Told, start: Start) -> None:
        self._settings, self._told, self._start = settings, told, start
        self._carriers: dict[Path, Carrier] = {}
        self._wanted = settings.count
        self._filling = asyncio.Lock()
        self._news = asyncio.Event()
        """A relay came, went, began or ceased to take pairs."""

    def pairs(self) -> frozenset[str]:
        """The ids of all connections that the relays carry."""
        return frozenset[str]().union(*(carrier.carried for carrier in self._carriers.values()))

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(carrier.pid for carrier in self._carriers.values() if carrier.pid)

    async def take(
        self,
        connection_id: str,
        client: socket.socket,
        agent: socket.socket,
        client_first: bytes = b"",
        agent_first: bytes = b"",
    ) -> None:
        """Has the two joined, beginning with what each has said already. The caller closes its own sockets.

        When this fails or is cancelled no relay joins them, or the one that already did lets go of them.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(REPLACED_S):
                await self._until(lambda: bool(self._taking()))
        order = Take(pair_id(connection_id), client_first, agent_first)
        for carrier in sorted(self._taking(), key=lambda each: each.load):
            if await carrier.take(order, client, agent):
                return
        raise Unavailable("no relay has room for the connection; try again", code="no_relay")

    async def cut(self, connection_id: str) -> None:
        """Ends the connection hard: returns when no byte of it moves any more, or it is none of ours.

        What the kernel still had to send is thrown away, so whatever the user is to be told goes first.
        """
        pair = pair_id(connection_id)
        for carrier in tuple(self._carriers.values()):
            if carrier.carries(pair):
                await carrier.cut(pair)

    async def _until(self, it_is_so: Callable[[], bool]) -> None:
        while not it_is_so():
            self._news.clear()
            await self._news.wait()

    def _missing(self) -> int:
        return max(0, self._wanted - len(self._taking()))

    def _taking(self) -> list[Carrier]:
        return [carrier for carrier in self._carriers.values() if carrier.is_taking]

    async def adopt(self) -> None:
        """Those that are there and not yet known; returns when each has said what it carries."""
        there = sorted(self._settings.directory.glob("*.sock"))
        found = [self._follow(path) for path in there if path not in self._carriers]
        for carrier in found:
            await carrier.settled.wait()

    async def fill(self) -> None:
        """Adopts what is there, and starts as many as are missing then."""
        async with self._filling:
            await self.adopt()
            async with asyncio.TaskGroup() as group:
                starting = [
                    group.create_task(self._one_more(), name="another relay") for _ in range(self._missing())
                ]
        if not all(one.result() for one in starting):
            log_file = self._settings.directory / LOG_FILE
            raise Unavailable(f"not every relay could be started; see {log_file}", code="relay_lost")

    async def keep_full(self) -> None:
        """For ever."""
        while True:
            await self._until(lambda: self._missing() > 0)
            try:
                await self.fill()
            except Unavailable as error:
                log.error("%s", error)
            if self._missing():
                await asyncio.sleep(TRY_AGAIN_S)

    async def leave(self) -> None:
        """Asks the relays for what becomes of them; who ends at once is waited for."""
        self._wanted = 0
        async with self._filling:
            pass  # One that is being started is asked too.
        at_once = self._settings.leaving is Leaving.END
        if self._settings.leaving is Leaving.STAY:
            return
        async with asyncio.TaskGroup() as group:
            for carrier in self._carriers.values():
                if at_once or carrier.is_ours:
                    group.create_task(carrier.drain(at_once=at_once), name=f"drain {carrier.path.stem}")
        if at_once:
            with suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_S):
                    await self._until(lambda: not self._carriers)

    async def _one_more(self) -> bool:
        try:
            async with asyncio.timeout(START_S):
                path = await self._spawn()
        except (OSError, TimeoutError) as error:
            log.error("a relay could not be started: %s", error)
            return False
        if path is not None:
            await self._follow(path).settled.wait()
        return path is not None

    def _follow(self, path: Path) -> Carrier:
        carrier = Carrier(path, self._settings.release, self._told, self._news.set)
        self._carriers[path] = carrier
        self._start(self._kept(carrier), name=f"relay {path.stem}")
        return carrier

    async def _kept(self, carrier: Carrier) -> None:
        await carrier.keep()
        del self._carriers[carrier.path]
        _sweep(carrier.path)
        self._news.set()

    async def _spawn(self) -> Path | None:
        """The socket of a relay that has just been started and listens on it; none if it ended instead."""
        settings, name = self._settings, secrets.token_hex(4)
        end_with = () if settings.end_with is None else ("--end-with", str(settings.end_with))
        with os.fdopen(_log_file(settings.directory), "ab") as log_file:
            starting = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "daemons.hub.relay.main", "--detach", "--name", name),
                *("--directory", str(settings.directory), "--release", settings.release),
                *("--idle-s", str(settings.idle_s)),
                *end_with,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                env={key: value for key, value in os.environ.items() if key in KEPT_VARIABLES},
                cwd="/",
                start_new_session=True,
            )
        return settings.directory / f"{name}.sock" if await starting.wait() == 0 else None


def _log_file(directory: Path) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(directory / LOG_FILE, flags, 0o600)


def _sweep(path: Path) -> None:
    """Removes what a dead relay left, unless another one is about to use its name."""
    try:
        lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        path.unlink(missing_ok=True)
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
        path.with_suffix(".lock").unlink(missing_ok=True)
    except BlockingIOError:
        pass
    finally:
        os.close(lock)


@asynccontextmanager
async def relays(settings: RelaySettings, told: Told) -> AsyncIterator[Relays]:
    """The pool, with all that was found adopted and enough of them running.

    `told` hears of every end at least once, also of those of an earlier hub and of a `take` that failed. A
    relay forgets an end only after `told` has returned; a `MeziteError` from it means "later".
    """
    settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.directory.chmod(0o700)
    async with crew() as start:
        pool = Relays(settings, told, start)
        await pool.fill()
        start(pool.keep_full(), name="relays")
        yield pool
        await pool.leave()
