"""`<data_dir>/admin.sock`: whoever runs as the hub's own OS user, or as root, administers without a login.

One line of JSON each way. The kernel says who the peer is (SO_PEERCRED); what is given is a certificate of
minutes for `local:NAME`, and everything else then goes through the same door, 3025, as for everybody. The
peer's private key never comes here.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
import pwd
import secrets
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from daemons.hub.desk.desk import Desk
from mezite.api.status import answer
from mezite.audit.events import Kind
from mezite.clock import rfc3339
from mezite.errors import Denied, Invalid, MeziteError, Unavailable
from mezite.model.identity import Identity, IdentityKind

LIFETIME: Final = timedelta(minutes=5)
LONGEST_LINE: Final = 4 * 1024
PATIENCE_S: Final = 5.0
_CREDENTIALS: Final = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class AdminSocket:
    desk: Desk
    auth_addr: Callable[[], str]
    web_addr: Callable[[], str]
    """What a person types after `--proxy=`; it stands in enrolment commands made over the socket."""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                said = await self._judged(reader, writer.get_extra_info("socket"))
                writer.write(json.dumps(said).encode() + b"\n")
                await writer.drain()
        except (OSError, TimeoutError, asyncio.LimitOverrunError, ValueError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _judged(self, reader: asyncio.StreamReader, peer: socket.socket) -> dict[str, object]:
        # Read in any case: closing over unread bytes would reset the line, and the refusal would be lost.
        line = await reader.readline()
        try:
            return await self._certified(_os_user(peer), line)
        except MeziteError as error:
            told = answer(error)
            return {"error": {"code": told.code, "message": told.message}}

    async def _certified(self, name: str, line: bytes) -> dict[str, object]:
        spki = _public_key(line)
        now = self.desk.clock.now()
        identity = Identity(
            kind=IdentityKind.LOCAL,
            id=name,
            name=name,
            serial=secrets.randbits(62) | 1,
            issued_at=now,
            expires_at=now + LIFETIME,
            roles=("admin",),
        )
        pem = self.desk.keyring.sign_tls_client(spki, identity)
        event = self.desk.event(
            Kind.CERT_ISSUED,
            user=f"local:{name}",
            reason="admin socket",
            details={"serial": str(identity.serial)},
        )
        await self.desk.store.write(lambda tx: tx.record(event))
        return {
            "tls_certificate": pem,
            "tls_authorities": self.desk.keyring.tls_authorities_pem,
            "auth_addr": self.auth_addr(),
            "web_addr": self.web_addr(),
            "cluster": self.desk.cluster,
            "expires_at": rfc3339(identity.expires_at),
        }


def _os_user(peer: socket.socket) -> str:
    """The peer's OS user, if it may: the hub's own, or root."""
    _pid, uid, _gid = _CREDENTIALS.unpack(
        peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    if uid not in (0, os.geteuid()):
        raise Denied("the admin socket is for the hub's own user and root; log in instead")
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _public_key(line: bytes) -> bytes:
    try:
        fields = json.loads(line)
        return base64.b64decode(fields["tls_public_key"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError):
        raise Invalid("not an order for a certificate") from None


@asynccontextmanager
async def serving(admin: AdminSocket, path: Path) -> AsyncIterator[None]:
    """Listens on `path`, mode 0600, until left; then the path is gone."""
    _remove(path)
    try:
        server = await asyncio.start_unix_server(
            admin.answer, sock=_bound(path), limit=LONGEST_LINE, backlog=16
        )
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be listened on: {error.strerror or error}; choose another data_dir"
        ) from None
    try:
        yield
    finally:
        server.close()
        _remove(path)


def _bound(path: Path) -> socket.socket:
    """Its owner's alone before it listens. Not by the umask, which is the whole process's."""
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        bound.bind(str(path))
        path.chmod(0o600)
    except BaseException:
        bound.close()
        raise
    return bound


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
