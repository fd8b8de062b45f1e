"""The SSH server of one connection: who is on it, what may be opened, and when it must end.

It serves a socket that is already connected; nothing here listens. The certificate is judged by `admission`
on its raw bytes, not by asyncssh, which drops what it does not know and takes principals for rights. All that
is opened later is held against the terms in force at that moment, and asked of the hub.

The connection is the unit of control: a cut ends its channels, its listeners and all that runs under it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn, Protocol, cast
from weakref import WeakSet

import asyncssh
from asyncssh.forward import SSHForwarder
from asyncssh.packet import String
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from daemons.agent import accounts, admission, forward
from daemons.agent.accounts import Account
from daemons.agent.admission import Admitted
from daemons.agent.asking import Questions
from daemons.agent.cgroups import Cgroup, Cgroups
from daemons.agent.channel import SessionChannel, Sieve
from daemons.agent.copying import Copy, Tool
from daemons.agent.identity import Membership, NodeKeys
from daemons.agent.reports import Reports
from daemons.agent.transfer import RunSieve, ScpSieve, SftpSieve, Transfer
from daemons.lifecycle import Start, crew
from daemons.tls_lines import Raw
from mezite import __version__
from mezite.api.tunnel.orders import Answer, Asked, Fact, Rights, Told
from mezite.ca.ssh_keys import load_public_key
from mezite.clock import Clock
from mezite.errors import MeziteError
from mezite.model.role import FileCopy
from mezite.quoting import quoted
from mezite.rbac.options import Terms

log = logging.getLogger(__name__)

LOGIN_S: Final = 30.0
"""From the first byte to a certificate that holds."""
SHOWING_S: Final = 0.3
"""What a client gets to show the message of a cut; by then all that ran has ended."""
LAST_WORDS_S: Final = 0.8
"""How long the message of a cut may take to leave."""
LONGEST_WAIT_S: Final = 30.0
"""How often the wall clock is looked at, which may be set while we wait."""
GRANTS_AWAY_S: Final = 300.0
"""How long a connection that lives off a grant goes on without the hub."""
MAX_SESSIONS: Final = 64
"""On one connection at once; clients that share one (ControlMaster) stay far below."""
MAX_PLACE: Final = 1_024
"""Of a host or a path, as a question to the hub holds it; a longer one would cost this node its line."""
CIPHERS: Final = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
SOFTWARE: Final = f"Mezite_{__version__}"


@dataclass(frozen=True, slots=True)
class Trust:
    """The node's side of one connection, as certificates are when it begins."""

    host_key: asyncssh.SSHKeyPair | asyncssh.SSHKey
    host_certificate: asyncssh.SSHCertificate
    user_authorities: frozenset[bytes]
    """Raw Ed25519 public keys."""
    cluster: str
    labels: Mapping[str, str]


def trust_of(membership: Membership, node_keys: NodeKeys, labels: Mapping[str, str]) -> Trust:
    issued = membership.issued
    authorities = (load_public_key(line) for line in issued.user_authorities)
    return Trust(
        host_key=asyncssh.import_private_key(node_keys.host_pem),
        host_certificate=asyncssh.import_certificate(issued.ssh_certificate),
        user_authorities=frozenset(
            key.public_bytes_raw() for key in authorities if isinstance(key, Ed25519PublicKey)
        ),
        cluster=issued.cluster,
        labels=labels,
    )


class Silence(Protocol):
    def __call__(self) -> float:
        """Seconds since the hub was last heard."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all connections of this agent share."""

    clock: Clock
    questions: Questions
    reports: Reports
    cgroups: Cgroups
    silence: Silence
    pam: str = ""


class Connection:
    """Serves SSH to one user. Also the `Host` of its sessions and the `Judge` of its forwards."""

    account: Account
    terms: Terms

    def __init__(self, id: str, rights: Rights, trust: Trust, around: Surroundings) -> None:
        self.id = id
        self.pam = around.pam
        self.client = f"{rights.client_ip} 0 127.0.0.1 22"
        self._rights = rights
        self._trust = trust
        self._around = around
        self._came_at = self._touched_at = around.clock.monotonic()
        self._admitted: Admitted | None = None
        self._transport: _Transport | None = None
        self._sessions: set[SessionChannel] = set()
        self._cgroup: Cgroup | None = None
        self._listeners: WeakSet[asyncssh.SSHListener] = WeakSet()
        """The transport holds those that listen; a client that makes and drops them leaves none here."""
        self._start: Start | None = None
        self._lost = asyncio.Event()
        self._changed = asyncio.Event()
        self._is_cut = False
        self._why_cut = ""

    # The life of the connection.

    async def serve(self, raw: Raw) -> None:
        """Until either end has enough. The socket is closed when this returns."""
        loop = asyncio.get_running_loop()
        try:
            options = await self._options()
            async with crew() as start:
                self._start = start
                transport = self._transport = _Transport(loop, options, self, raw.first)
                try:
                    await loop.create_connection(lambda: transport, sock=raw.socket)
                    start(self._watch(), name=f"watch {self.id}")
                    await self._lost.wait()
                finally:
                    transport.abort()
                    for session in list(self._sessions):
                        session.cut("the connection ended")
        finally:
            raw.close()
            if self._cgroup is not None:
                self._cgroup.retire()
            reason = {"reason": self._why_cut} if self._is_cut else {}
            self._around.reports.tell(Told.CONNECTION_END, self.id, **reason)

    def update(self, rights: Rights) -> None:
        """Other rights from here on; older ones than those in force are passed over."""
        if rights.revision < self._rights.revision:
            return
        self._rights = rights
        self._came_at = self._around.clock.monotonic()
        self._changed.set()
        if self._admitted is not None:
            self._judge_again()

    def cut(self, message: str) -> None:
        """Ends everything on it at once; `message` goes to every terminal."""
        if self._is_cut:
            return
        self._is_cut, self._why_cut = True, message
        sessions = list(self._sessions)
        for session in sessions:
            session.cut(message)
        if self._cgroup is not None:
            # Sessions that have ended may have left something running.
            self._cgroup.kill()
        if self._transport is None:
            self._lost.set()
            return
        loop = asyncio.get_running_loop()
        if sessions:
            # A client that hears of the disconnect drops what it has not yet shown, the reason among it.
            loop.call_later(SHOWING_S, self._disconnect, message)
        else:
            self._disconnect(message)
        # A client that reads nothing would keep us waiting for our last words to leave.
        loop.call_later(LAST_WORDS_S, self._lost.set)

    def _disconnect(self, message: str) -> None:
        if self._transport is not None and not self._lost.is_set():
            self._transport.disconnect(asyncssh.DISC_BY_APPLICATION, message)

    def lost(self) -> None:
        self._lost.set()

    # Who is on it.

    async def authenticate(self, login: str, shown: bytes) -> tuple[Admitted, Account]:
        """The holder of this certificate as this login; raises the line that the user is told."""
        admitted = admission.admit(
            shown,
            login,
            self._rights,
            trusted=self._trust.user_authorities,
            cluster=self._trust.cluster,
            labels=self._labels,
            now=self._around.clock.now(),
            lent_s=self._lent_s(),
        )
        return admitted, await asyncio.to_thread(accounts.find, login)

    def let_in(self, admitted: Admitted, account: Account) -> None:
        """The certificate's key was proved to be the client's."""
        self._admitted = admitted
        self.account, self.terms = account, admitted.terms
        self.touched()
        self._changed.set()
        log.info("%s is in as %s", quoted(self._rights.user), quoted(admitted.login))

    # What its sessions need of it.

    def new_session(self) -> SessionChannel:
        if len(self._sessions) >= MAX_SESSIONS or self._admitted is None or self._is_cut:
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_RESOURCE_SHORTAGE, f"at most {MAX_SESSIONS} sessions on one connection"
            )
        session = SessionChannel(self)
        self._sessions.add(session)
        return session

    @property
    def sessions(self) -> frozenset[SessionChannel]:
        """Those that live."""
        return frozenset(self._sessions)

    def ended(self, session: SessionChannel) -> None:
        self._sessions.discard(session)

    def start(self, work: Coroutine[Any, Any, object], /, *, name: str) -> asyncio.Task[object]:
        assert self._start is not None, "sessions come while it serves"
        return self._start(work, name=name)

    async def may_begin(self, session_id: str, what: str) -> Answer:
        if self._around.reports.is_full:
            return Answer(
                number=0, allowed=False, message="this node cannot tell what happens on it; try later"
            )
        return await self._around.questions.ask(
            self.id, Asked.SESSION, what, self.account.login, session_id=session_id
        )

    async def may_forward(self, what: str, host: str, address: str, port: int) -> Answer:
        if self._is_cut:
            return Answer(number=0, allowed=False, message="this connection is ending")
        if len(host) > MAX_PLACE:
            return Answer(number=0, allowed=False, message="the name is too long")
        answer = await self._around.questions.ask(
            self.id, Asked.FORWARD, what, self.account.login, host=host, address=address, port=port
        )
        if answer.allowed and not self.terms.port_forwarding:
            return Answer(number=answer.number, allowed=False, message="no role of yours allows forwarding")
        return answer

    def cgroup(self, session_id: str) -> Cgroup | None:
        if self._cgroup is None:
            self._cgroup = self._around.cgroups.make(self.id)
        return self._cgroup.make(session_id) if self._cgroup is not None else None

    def sieve(self, session_id: str, copy: Copy) -> Sieve | None:
        def rule() -> FileCopy:
            # Unless it can be told of, no file is opened.
            return FileCopy.NONE if self._around.reports.is_full else self.terms.file_copy

        def told(transfer: Transfer) -> None:
            if copy.tool is not Tool.SFTP and self._around.reports.is_full:
                # Its next file cannot be refused alone. Soon, not at once: the sieve is in the middle of one.
                asyncio.get_running_loop().call_soon(
                    self.cut, "this node cannot tell what happens on it; try later"
                )
            self.report(
                Told.FILE,
                session_id,
                tool=str(copy.tool),
                path=transfer.path,
                direction=str(transfer.direction),
                bytes=transfer.bytes,
                ok=transfer.ok,
            )

        if copy.tool is Tool.SFTP:
            return SftpSieve(rule, told)
        if copy.tool is Tool.SCP:
            return ScpSieve(copy, told)
        assert copy.direction is not None, "rsync tells its own"
        return RunSieve(copy.direction, copy.path, told)

    def tap(self, session_id: str, data: bytes) -> None:
        """Where a recorder listens. Nobody does."""

    def touched(self) -> None:
        self._touched_at = self._around.clock.monotonic()

    def report(self, kind: Told, session_id: str, **facts: Fact) -> None:
        login = self._admitted.login if self._admitted is not None else ""
        self._around.reports.tell(kind, self.id, session_id=session_id, login=login, **facts)

    async def forward_direct(self, host: str, port: int) -> SSHForwarder:
        return await forward.direct(self, self.touched, host, port)

    async def forward_remote(self, host: str, port: int) -> asyncssh.SSHListener | bool:
        assert self._transport is not None, "asked for on it"
        listener = await forward.remote(
            self, self.touched, self._transport, host, port, is_root=self.account.uid == 0
        )
        if isinstance(listener, asyncssh.SSHListener):
            self._listeners.add(listener)
            self._close_listeners_unless_allowed()
        return listener

    async def refuse_unix(self, path: str) -> NoReturn:
        """Asked of the hub all the same, so that a refusal of its own is written down."""
        answer = await self.may_forward("unix", path, "", 0)
        raise forward.prohibited(answer.message or "this node forwards no unix sockets")

    def _close_listeners_unless_allowed(self) -> None:
        if not self.terms.port_forwarding:
            for listener in list(self._listeners):
                listener.close()

    # When it must end.

    async def _watch(self) -> None:
        while (why := self._why_end(self._around.clock.now())) is None:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._wait_s(self._around.clock.now())):
                    await self._changed.wait()
        self.cut(why)

    def _why_end(self, now: datetime) -> str | None:
        if self._admitted is None:
            return None
        if now >= admission.runs_out_at(self._rights, self._admitted):
            return "your certificate has run out; log in again"
        if self._idle_left_s() <= 0:
            return "nothing was typed for too long"
        if admission.lives_off_grants(self._rights) and self._around.silence() >= GRANTS_AWAY_S:
            return "the hub is away, and this session lives off a grant"
        if any(end <= self._lent_s() for end in admission.grant_ends(self._rights)):
            return self._why_denied()
        return None

    def _wait_s(self, now: datetime) -> float:
        if self._admitted is None:
            return LONGEST_WAIT_S
        ends = [LONGEST_WAIT_S, self._idle_left_s()]
        ends.append((admission.runs_out_at(self._rights, self._admitted) - now).total_seconds())
        ends.extend(left for end in admission.grant_ends(self._rights) if (left := end - self._lent_s()) > 0)
        return max(0.01, min(ends))

    def _idle_left_s(self) -> float:
        timeout = self.terms.client_idle_timeout
        if timeout is None:
            return LONGEST_WAIT_S
        return self._touched_at + timeout.total_seconds() - self._around.clock.monotonic()

    @property
    def _labels(self) -> Mapping[str, str]:
        """As the hub has them, which knows those that came with the node's token."""
        return self._rights.labels or self._trust.labels

    def _lent_s(self) -> float:
        return self._around.clock.monotonic() - self._came_at

    def _judge_again(self) -> None:
        why = self._why_denied()
        if why is not None:
            self.cut(why)
        else:
            self._close_listeners_unless_allowed()

    def _why_denied(self) -> str | None:
        """Takes on the present terms, or says why there are none."""
        assert self._admitted is not None, "asked about who is in"
        try:
            self.terms = admission.terms(
                self._admitted.certificate,
                self._admitted.login,
                self._rights,
                self._labels,
                lent_s=self._lent_s(),
            )
        except MeziteError as error:
            return error.message
        return None

    async def _options(self) -> asyncssh.SSHServerConnectionOptions:
        options: asyncssh.SSHServerConnectionOptions = await asyncssh.SSHServerConnectionOptions.construct(
            config=(),
            server_factory=lambda: _Server(self),
            server_host_keys=[(self._trust.host_key, self._trust.host_certificate)],
            server_version=SOFTWARE,
            encryption_algs=CIPHERS,
            compression_algs=("none",),
            gss_host=None,
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            agent_forwarding=False,
            x11_forwarding=False,
            line_editor=False,
            encoding=None,
            login_timeout=LOGIN_S,
        )
        return options


class _Server(asyncssh.SSHServer):
    """What asyncssh asks; the answers are the connection's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.lost()

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def session_requested(self) -> SessionChannel:
        return self._connection.new_session()

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Awaitable[asyncssh.SSHTCPSession[bytes]]:
        # A forwarder is what asyncssh's own forwards answer with; it has all that such a session has.
        forwarder = self._connection.forward_direct(dest_host, dest_port)
        return cast("Awaitable[asyncssh.SSHTCPSession[bytes]]", forwarder)

    def server_requested(self, listen_host: str, listen_port: int) -> Awaitable[asyncssh.SSHListener | bool]:
        return self._connection.forward_remote(listen_host, listen_port)

    def unix_connection_requested(self, dest_path: str) -> Awaitable[asyncssh.SSHUNIXSession[bytes]]:
        return self._connection.refuse_unix(dest_path)

    async def unix_server_requested(self, listen_path: str) -> bool:
        with contextlib.suppress(asyncssh.ChannelOpenError):
            await self._connection.refuse_unix(listen_path)
        return False


class _Transport(asyncssh.SSHServerConnection):
    """asyncssh's own, except for who decides about a certificate, and for bytes that came early."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: asyncssh.SSHServerConnectionOptions,
        connection: Connection,
        first: bytes,
    ) -> None:
        super().__init__(loop, options)
        self._connection = connection
        self._first = first
        self._told: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._first:
            self.data_received(self._first)
            self._first = b""

    async def validate_public_key(self, username: str, key_data: bytes, msg: bytes, signature: bytes) -> bool:
        """Called once to ask whether the certificate would do, and once with the proof of its key."""
        if not _is_certificate(key_data):
            # Clients offer the bare key of a certificate too; that is no news for whoever types.
            return False
        try:
            admitted, account = await self._connection.authenticate(username, key_data)
        except MeziteError as error:
            self._explain(error.message)
            return False
        if not msg:
            return True
        key = asyncssh.import_public_key(admitted.certificate.public_key)
        if not key.verify(String(self._session_id) + msg, signature):
            return False
        self._connection.let_in(admitted, account)
        return True

    def _explain(self, message: str) -> None:
        """On the user's terminal, above ssh's own `Permission denied`; each reason once."""
        if message != self._told:
            self._told = message
            self.send_auth_banner(f"mezite: {message}\n")


def _is_certificate(shown: bytes) -> bool:
    size = int.from_bytes(shown[:4], "big")
    return size < 128 and shown[4 : 4 + size].endswith(b"-cert-v01@openssh.com")
