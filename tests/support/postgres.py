"""A real PostgreSQL for tests: one cluster per run, on a unix socket, one database per test.

It refuses root, so under root it runs as another user, in a directory of that user's.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from mezite.clock import SystemClock
from mezite.storage.postgres import open_postgres
from mezite.storage.tables import CHAIN_HEAD, METADATA

SUPERUSER = "mz"
_PORT = 5432
"""Part of the socket's name only; nothing listens on TCP."""
_TEMPLATE = "mezite_template"
_SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=60",
)


@dataclass
class Cluster:
    directory: Path
    programs: Path
    as_user: dict[str, Any]
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    template: bool = False
    shared: str = ""

    @property
    def socket(self) -> Path:
        return self.directory / f".s.PGSQL.{_PORT}"

    def initialise(self) -> None:
        # Not the plain byte order, so that a column which forgot to ask for it is found out.
        self._run(
            "initdb", "-D", self.directory / "data", "-U", SUPERUSER, "-A", "trust", "-E", "UTF8",
            "--no-sync", "--locale=C", "--locale-provider=icu", "--icu-locale=en-US",
        )  # fmt: skip

    def start(self) -> None:
        settings = " ".join(f"-c {setting}" for setting in _SETTINGS)
        options = f"{settings} -k {self.directory} -p {_PORT}"
        self._ctl("start", "-w", "-l", self.directory / "log", "-o", options)

    def stop(self, mode: str = "immediate") -> None:
        self._ctl("stop", "-w", "-m", mode)

    def url(self, database: str, *, socket_dir: Path | None = None) -> str:
        return f"postgresql://{SUPERUSER}@/{database}?host={socket_dir or self.directory}&port={_PORT}"

    async def connect(self, database: str = "postgres") -> Any:
        return await asyncpg.connect(host=str(self.directory), port=_PORT, user=SUPERUSER, database=database)

    async def execute(self, sql: str, database: str = "postgres") -> None:
        connection = await self.connect(database)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    async def fresh_database(self) -> str:
        """The name of a database of its own, with our tables in it."""
        if not self.template:
            await self.execute(f"CREATE DATABASE {_TEMPLATE}")
            async with open_postgres(self.url(_TEMPLATE), SystemClock()):
                pass
            self.template = True
        return await self.empty_database(template=_TEMPLATE)

    async def shared_database(self) -> str:
        """The same database each time, emptied: faster by far than a new one, for tests of one store."""
        if not self.shared:
            self.shared = await self.fresh_database()
            return self.shared
        connection = await self.connect(self.shared)
        try:
            async with connection.transaction():
                for table in METADATA.sorted_tables:
                    if table is not CHAIN_HEAD:
                        await connection.execute(f'DELETE FROM "{table.name}"')  # noqa: S608 - our own names
                await connection.execute(
                    "UPDATE chain_head SET seq=0, hash=decode(repeat('00', 32), 'hex'),"
                    " time_us=0, highest_us=0, widest_lag_us=0, feed=0"
                )
        finally:
            await connection.close()
        return self.shared

    async def empty_database(self, template: str = "template1") -> str:
        name = f"test_{next(self.numbers)}"
        for _ in range(50):
            # A backend that is just leaving still counts as a user of the template.
            with suppress(asyncpg.ObjectInUseError):
                await self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
                return name
            await asyncio.sleep(0.02)
        raise AssertionError(f"{template} stays in use")

    def _ctl(self, verb: str, *options: str | Path) -> None:
        self._run("pg_ctl", verb, "-D", self.directory / "data", *options)

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = subprocess.run(
            [self.programs / program, *arguments],
            cwd="/",
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            timeout=60,
            **self.as_user,
        )
        assert done.returncode == 0, done.stderr.decode()


def _programs() -> Path | None:
    newest_first = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True
    )
    on_path = shutil.which("pg_ctl")
    found = newest_first + ([Path(on_path).parent] if on_path else [])
    return next((path for path in found if (path / "initdb").exists()), None)


def _other_user(directory: Path) -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            os.chown(directory, user.pw_uid, user.pw_gid)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise AssertionError("root needs another user to run PostgreSQL as")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    # Short, as a socket's path may have 107 characters.
    directory = Path(tempfile.mkdtemp(prefix="mzpg-", dir="/tmp"))
    try:
        cluster = Cluster(directory, programs, _other_user(directory))
        cluster.initialise()
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
