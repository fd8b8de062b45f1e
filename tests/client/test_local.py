"""The admin socket from the outside: answers that are none, and doors that are shut."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from mezite.ca.tls_authority import to_pem
from mezite.client import local
from mezite.client.local import admit
from mezite.errors import Denied, MeziteError, Unavailable
from tests.support.authorities import tls

ANSWER = {
    "tls_certificate": "-----BEGIN CERTIFICATE-----\n",
    "tls_authorities": to_pem(tls().certificate).decode(),
    "auth_addr": ":3025",
    "web_addr": "mezite.example.com:3080",
    "cluster": "production",
    "expires_at": "2026-03-24T10:05:00Z",
}
Hub = Callable[[bytes], list[bytes]]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Short, since the path of a socket may have only some 100 characters."""
    with TemporaryDirectory() as directory:
        yield Path(directory)


@pytest.fixture
def hub(data_dir: Path) -> Iterator[Hub]:
    """Listens, takes one line, says these bytes, hangs up."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(data_dir / "admin.sock"))
    server.listen()
    heard: list[bytes] = []

    def answering(said: bytes) -> list[bytes]:
        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                heard.append(connection.makefile("rb").readline())
                connection.sendall(said)

        threading.Thread(target=answer, daemon=True).start()
        return heard

    yield answering
    server.close()


def test_the_answer_is_a_pass_for_loopback(hub: Hub, data_dir: Path) -> None:
    heard = hub(json.dumps(ANSWER).encode() + b"\n")
    given = admit(data_dir)
    assert given.hub.auth_addr == "127.0.0.1:3025"
    assert given.hub.cluster == "production"
    assert given.hub.proxy == "mezite.example.com:3080"
    assert given.key not in repr(given)
    assert set(json.loads(heard[0])) == {"tls_public_key"}


@pytest.mark.parametrize(
    ("told", "dialled"),
    [
        (":3025", "127.0.0.1:3025"), ("0.0.0.0:3025", "127.0.0.1:3025"), ("[::]:3025", "127.0.0.1:3025"),
        ("10.0.0.1:3025", "10.0.0.1:3025"), ("[::1]:3025", "[::1]:3025"),
    ],
)  # fmt: skip
def test_where_everything_listens_is_dialled_at_loopback(
    hub: Hub, data_dir: Path, told: str, dialled: str
) -> None:
    hub(json.dumps(ANSWER | {"auth_addr": told}).encode() + b"\n")
    assert admit(data_dir).hub.auth_addr == dialled


def test_a_refusal_is_raised(hub: Hub, data_dir: Path) -> None:
    hub(b'{"error": {"code": "denied", "message": "only for root"}}\n')
    with pytest.raises(Denied, match="only for root"):
        admit(data_dir)


@pytest.mark.parametrize(
    "said",
    [
        b"", b"\n", b"[]\n", b"{}\n", b"{", b"\xff\n",
        json.dumps(ANSWER | {"expires_at": "soon"}).encode() + b"\n",
        json.dumps(ANSWER | {"auth_addr": "?"}).encode() + b"\n", b'{"error": {}}\n', b'{"error": 7}\n',
    ],
)  # fmt: skip
def test_what_is_no_answer_is_one_line(hub: Hub, data_dir: Path, said: bytes) -> None:
    hub(said)
    with pytest.raises(MeziteError) as refused:
        admit(data_dir)
    assert "\n" not in refused.value.message


def test_an_answer_without_end_is_cut_off(hub: Hub, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "MAX_LINE_BYTES", 100)
    hub(b"x" * 1000)
    with pytest.raises(Unavailable, match="too large"):
        admit(data_dir)


def test_no_socket_no_hub_and_no_right(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable, match="no hub is here") as absent:
        admit(data_dir)
    assert "msh login" not in str(absent.value), "who asks for the socket has no use for a login"
    (data_dir / "admin.sock").write_text("")
    with pytest.raises(Unavailable, match="is the hub running"):
        admit(data_dir)
    with pytest.raises(Unavailable):
        admit(data_dir / ("x" * 200))

    class Shut(socket.socket):
        def connect(self, _address: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", Shut)
    with pytest.raises(Denied, match="run as one of them"):
        admit(data_dir)
