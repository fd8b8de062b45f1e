"""The agent's SSH server without a hub: real OpenSSH clients call it over loopback, and the test is the hub.

The listener is the test's; the server itself only ever gets sockets that are connected.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncssh
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from daemons.agent.asking import Questions
from daemons.agent.cgroups import Cgroups
from daemons.agent.process import pam_service
from daemons.agent.reports import Reports
from daemons.agent.sshd import Connection, Surroundings, Trust
from daemons.lifecycle import crew
from daemons.tls_lines import Raw
from mezite.api.tunnel.orders import Answer, Ask, Report, Rights, Told
from mezite.ca import ssh_certs
from mezite.ca.ssh_keys import authority_line
from mezite.clock import Clock, SystemClock, to_us
from mezite.ids import mint_uuid
from mezite.model.identity import Identity, IdentityKind
from mezite.model.role import Role
from mezite.rbac.document import to_document
from tests.support.authorities import ALICE, CLUSTER, public, ssh_authority
from tests.support.openssh import me, write_private
from tests.support.roles import ssh_role

LABELS: Final = {"env": "staging"}
USER_CA: Final = "user"
HOST_CA: Final = "host"


def alice(**changes: Any) -> Identity:
    """Alice with a certificate in force by the real clock."""
    now = SystemClock().now()
    return replace(
        ALICE,
        issued_at=now,
        expires_at=(now + timedelta(hours=1)).replace(microsecond=0),
        roles=("dev",),
        **changes,
    )


def dev(*logins: str, **options: Any) -> Role:
    """The role that lets alice in."""
    return ssh_role("dev", labels={"env": ("staging",)}, logins=logins or (me(),), **options)


def rights(who: Identity, *roles: Role, **changes: Any) -> Rights:
    return Rights(**{**_said(who, roles), **changes})


def _said(who: Identity, roles: Sequence[Role]) -> dict[str, Any]:
    return {
        "revision": 1,
        "user_id": who.id,
        "user": who.name,
        "serial": who.serial,
        "certificate_expires_us": to_us(who.expires_at),
        "client_ip": "192.0.2.7",
        "mfa": False,
        "roles": tuple(json.dumps(to_document(role)) for role in roles),
    }


@dataclass
class Node:
    """One agent's SSH server and the hub that it asks; `decide` is what that hub answers."""

    port: int
    place: Path
    around: Surroundings
    connections: list[Connection] = field(default_factory=list)
    asked: list[Ask] = field(default_factory=list)
    told: list[Report] = field(default_factory=list)
    standing: Callable[[], Rights] = field(default=lambda: rights(alice(), dev()))
    decide: Callable[[Ask], str | None] = field(default=lambda _ask: None)
    """None is a yes; a text is why not."""
    login: str = field(default_factory=me)

    def ssh_words(self, *flags: str, program: str = "ssh") -> list[str]:
        port = "-p" if program == "ssh" else "-P"
        options = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "IdentityFile": str(self.place / "key"),
            "CertificateFile": str(self.place / "key-cert.pub"),
            "UserKnownHostsFile": str(self.place / "known_hosts"),
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "HostKeyAlias": "web-1",
            "ConnectTimeout": "20",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return [program, "-F", "none", port, str(self.port), *words, *flags]

    async def ssh(
        self, *command: str, flags: Sequence[str] = (), stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """`ssh flags login@node command`, by the real ssh."""
        return await run([*self.ssh_words(*flags), f"{self.login}@127.0.0.1", *command], stdin=stdin)

    async def program(
        self, name: str, *arguments: str, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """scp or sftp; `NODE:` at the beginning of an argument stands for the far side."""
        far = f"{self.login}@127.0.0.1:"
        words = [far + word.removeprefix("NODE:") if word.startswith("NODE:") else word for word in arguments]
        return await run([*self.ssh_words(program=name), *words], stdin=stdin)

    @asynccontextmanager
    async def talking(self, command: str, *flags: str) -> AsyncIterator[Talking]:
        """An ssh that runs until the block ends; what it says on stderr comes with the rest."""
        process = await asyncio.create_subprocess_exec(
            *self.ssh_words(*flags), f"{self.login}@127.0.0.1", command,
            stdin=-1, stdout=-1, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield Talking(process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def tells(self, kind: Told) -> list[Mapping[str, object]]:
        return [report.facts for report in self.told if report.kind is kind]

    def give(self, who: Identity, *, ca: str = USER_CA, cluster: str = CLUSTER) -> None:
        """A key of the user's, and a certificate for it."""
        write_user_key(self.place, who, ca=ca, cluster=cluster)


class Talking:
    """A running ssh, typed at and read step by step."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said = b""

    def type(self, keys: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(keys)

    async def until(self, words: bytes) -> bytes:
        """Reads until that was said."""
        assert self._process.stdout is not None
        while words not in self.said:
            more = await self._process.stdout.read(65_536)
            assert more, f"ended after {self.said!r}"
            self.said += more
        return self.said

    async def status(self) -> int:
        """Reads to the end."""
        assert self._process.stdout is not None
        self.said += await self._process.stdout.read()
        return await self._process.wait()


async def run(
    words: Sequence[str], *, stdin: bytes = b"", quiet: bool = False
) -> subprocess.CompletedProcess[bytes]:
    """`quiet` is for a program that leaves a part of itself behind, which would hold its output open."""
    heard = asyncio.subprocess.DEVNULL if quiet else asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, stdin=-1, stdout=heard, stderr=heard)
    try:
        out, err = await process.communicate(stdin)
    except asyncio.CancelledError:
        process.kill()
        raise
    assert process.returncode is not None
    return subprocess.CompletedProcess(list(words), process.returncode, out, err)


def write_user_key(place: Path, who: Identity, *, ca: str = USER_CA, cluster: str = CLUSTER) -> None:
    key = Ed25519PrivateKey.generate()
    write_private(place / "key", key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    certificate = ssh_certs.issue_user(
        ssh_authority(ca), who, public_key=key.public_key(), cluster=cluster, principals=()
    )
    (place / "key-cert.pub").write_text(certificate + "\n")


def node_trust(labels: Mapping[str, str] = LABELS, *, now: datetime | None = None) -> Trust:
    now = now or SystemClock().now()
    key = Ed25519PrivateKey.generate()
    who = Identity(
        IdentityKind.NODE, mint_uuid(), "web-1", 7, now, (now + timedelta(hours=1)).replace(microsecond=0)
    )
    certificate = ssh_certs.issue_host(
        ssh_authority(HOST_CA), who, public_key=key.public_key(), cluster=CLUSTER, principals=("web-1",)
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return Trust(
        host_key=asyncssh.import_private_key(pem),
        host_certificate=asyncssh.import_certificate(certificate),
        user_authorities=frozenset({public(ssh_authority(USER_CA))}),
        cluster=CLUSTER,
        labels=labels,
    )


@asynccontextmanager
async def node(place: Path, *, clock: Clock | None = None) -> AsyncIterator[Node]:
    """A node that serves every connection, as alice's unless `standing` says otherwise."""
    clock = clock or SystemClock()
    questions, reports = Questions(), Reports(place, clock)
    around = Surroundings(
        clock=clock,
        questions=questions,
        reports=reports,
        cgroups=Cgroups.of_this_process(mint_uuid()),
        silence=lambda: 0.0,
        pam=pam_service(),
    )
    trust = node_trust()
    (place / "known_hosts").write_text(
        f"@cert-authority * {authority_line(public(ssh_authority(HOST_CA)))}\n"
    )
    write_user_key(place, alice())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        served = Node(listener.getsockname()[1], place, around)
        loop = asyncio.get_running_loop()

        def hear(ask: Ask) -> None:
            served.asked.append(ask)
            why = served.decide(ask)
            answer = Answer(number=ask.number, allowed=why is None, message=why or "")
            loop.call_soon(questions.heard, answer)

        questions.line_is(hear)
        reports.line_is(served.told.append)
        async with crew() as start:

            async def accept() -> None:
                while True:
                    accepted, _ = await loop.sock_accept(listener)
                    connection = Connection(mint_uuid(), served.standing(), trust, around)
                    served.connections.append(connection)
                    start(connection.serve(Raw(accepted, b"")), name="connection")

            start(accept(), name="accept")
            yield served
    reports.close()
    around.cgroups.close()
