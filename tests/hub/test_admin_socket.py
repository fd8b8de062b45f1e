"""The admin socket: one line each way, for the hub's own OS user and root, and for minutes."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemons.hub import admin_socket
from daemons.hub.admin_socket import LIFETIME, LONGEST_LINE, AdminSocket
from mezite.audit.events import Kind
from mezite.ca import tls_certs
from mezite.errors import Unavailable
from mezite.model.identity import IdentityKind
from tests.support.authorities import CLUSTER
from tests.support.desk import Office, keys


@pytest.fixture
async def path(office: Office, tmp_path: Path) -> AsyncIterator[Path]:
    where = tmp_path / "admin.sock"
    async with admin_socket.serving(
        AdminSocket(office.desk, lambda: "127.0.0.1:3025", lambda: "hub:3080"), where
    ):
        yield where


async def say(path: Path, line: bytes, *, end: bool = False) -> dict[str, Any] | None:
    """What is answered; None when the hub just hangs up."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(line)
        if end:
            writer.write_eof()
        told = await reader.read()
    except ConnectionError:
        return None
    finally:
        writer.close()
    assert told.count(b"\n") <= 1
    answer = json.loads(told) if told else None
    assert answer is None or isinstance(answer, dict)
    return answer


def order() -> bytes:
    return json.dumps({"tls_public_key": base64.b64encode(keys().tls_spki).decode()}).encode() + b"\n"


async def test_it_gives_a_certificate_of_minutes_for_the_os_user(office: Office, path: Path) -> None:
    answer = await say(path, order())
    assert answer is not None
    assert (answer["cluster"], answer["auth_addr"]) == (CLUSTER, "127.0.0.1:3025")
    assert answer["web_addr"] == "hub:3080"
    identity = tls_certs.check_client(
        answer["tls_certificate"].encode(),
        trusted=office.desk.keyring.tls_authorities,
        cluster=CLUSTER,
        now=office.clock.now(),
    )
    assert identity.kind is IdentityKind.LOCAL
    assert identity.expires_at == office.clock.now() + LIFETIME == office.clock.now() + timedelta(minutes=5)
    event = await office.newest()
    assert (event.kind, event.user) == (Kind.CERT_ISSUED, f"local:{identity.name}")


async def test_it_is_for_its_owner_alone(path: Path) -> None:
    mode = os.stat(path).st_mode
    assert stat.S_ISSOCK(mode)
    assert mode & 0o777 == 0o600


async def test_starting_to_listen_leaves_the_umask_alone(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other threads make files meanwhile."""

    def changed(_mask: int) -> int:
        raise AssertionError("the umask is the whole process's")

    monkeypatch.setattr(os, "umask", changed)
    where = tmp_path / "admin.sock"
    async with admin_socket.serving(AdminSocket(office.desk, lambda: "x", lambda: "y"), where):
        assert os.stat(where).st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{\n",
        b"[]\n",
        b"7\n",
        b'{"tls_public_key": 7}\n',
        b'{"tls_public_key": "!!"}\n',
        b'{"tls_public_key": "aGVsbG8="}\n',
        b'{"tls_public_key": null}\n',
        b"[" * 3_000 + b"\n",
        b"\xff\xfe\n",
        b"9" * 4_000 + b"\n",
    ],
    ids=lambda line: ascii(line)[:24],
)
async def test_orders_that_do_not_read_get_an_error_and_nothing_else(
    office: Office, path: Path, line: bytes
) -> None:
    before = len(await office.events())
    answer = await say(path, line)
    assert answer is not None
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"code", "message"}
    assert len(await office.events()) == before


@pytest.mark.parametrize("line", [b"x" * (LONGEST_LINE * 3) + b"\n", b""], ids=["endless", "nothing"])
async def test_lines_that_are_none_are_hung_up_on(office: Office, path: Path, line: bytes) -> None:
    answer = await say(path, line, end=True)
    assert answer is None or "error" in answer


async def test_who_says_nothing_is_hung_up_on(
    office: Office, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_socket, "PATIENCE_S", 0.01)
    assert await say(path, b'{"tls_pub') is None


async def test_another_os_user_is_refused(
    office: Office, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mode of the socket already keeps them out; this is what holds when somebody changed it."""
    monkeypatch.setattr(admin_socket, "_CREDENTIALS", _Credentials())
    answer = await say(path, order())
    assert answer is not None
    assert answer["error"]["code"] == "denied"


class _Credentials:
    """What the kernel would say of a peer that is neither root nor the hub's own user."""

    size = admin_socket._CREDENTIALS.size

    def unpack(self, _told: bytes) -> tuple[int, int, int]:
        return 1, os.geteuid() + 54_321, 1


async def test_a_socket_left_by_a_crash_is_taken_over_and_none_is_left_behind(
    office: Office, tmp_path: Path
) -> None:
    where = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(where))
    async with admin_socket.serving(AdminSocket(office.desk, lambda: "x", lambda: "y"), where):
        assert await say(where, order()) is not None
    assert not where.exists()


async def test_a_path_too_long_for_a_socket_is_one_clear_line(office: Office, tmp_path: Path) -> None:
    where = tmp_path / ("x" * 120) / "admin.sock"
    where.parent.mkdir()
    with pytest.raises(Unavailable, match="choose another data_dir"):
        async with admin_socket.serving(AdminSocket(office.desk, lambda: "x", lambda: "y"), where):
            pass
