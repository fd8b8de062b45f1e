"""What is said about connections of users: orders from the hub, questions and reports from the node.

A connection is one user's SSH transport to one node, named by an id that the hub gave it. A node is believed
only about connections that were dialled to it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from mezite.api.tunnel.shapes import VERSION, Counter, Labels, Message, Microseconds, Nonce, Sentence, Word

ConnectionId = Annotated[str, Meta(min_length=36, max_length=36)]
SessionId = Annotated[str, Meta(max_length=36)]
Place = Annotated[str, Meta(max_length=1_024)]
"""A host name, an address, a path: as the client asked for it."""
Port = Annotated[int, Meta(ge=0, le=65_535)]
Document = Annotated[str, Meta(min_length=2, max_length=32_768)]
Fact = Annotated[str, Meta(max_length=4_096)] | Annotated[int, Meta(ge=-(2**62), lt=2**62)] | bool


class GrantInForce(msgspec.Struct, frozen=True):
    """Roles lent for a while. What is left runs on the node's monotonic clock, not by its calendar."""

    request_id: Word
    roles: Annotated[tuple[Word, ...], Meta(max_length=64)]
    seconds_left: Annotated[float, Meta(ge=0)]
    nodes: Annotated[tuple[Word, ...], Meta(max_length=1_024)] = ()
    """The only nodes it is good for; empty is all that its roles reach."""


class Rights(msgspec.Struct, frozen=True):
    """What the user of a connection is worth at this moment, as the hub sees it."""

    revision: Counter
    user_id: Word
    user: Word
    serial: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    certificate_expires_us: Microseconds
    client_ip: Annotated[str, Meta(max_length=64)]
    mfa: bool
    """A second factor was proved for this very connection."""
    roles: Annotated[tuple[Document, ...], Meta(max_length=64)]
    """The roles in force, as documents: those in the certificate that the user holds now."""
    logins: Annotated[tuple[Word, ...], Meta(max_length=64)] = ()
    traits: Annotated[dict[Word, tuple[Annotated[str, Meta(max_length=256)], ...]], Meta(max_length=64)] = (
        msgspec.field(default_factory=dict)
    )
    locked_logins: Annotated[tuple[Word, ...], Meta(max_length=1_024)] = ()
    grants: Annotated[tuple[GrantInForce, ...], Meta(max_length=64)] = ()
    labels: Labels = msgspec.field(default_factory=dict)
    """The node's own, with those that its token bound to it: the node knows only what it was set to."""


class Dial(Message, frozen=True):
    """Hub: a user wants in. Open a connection to me, say the token there, and serve SSH on it."""

    connection_id: ConnectionId
    token: Nonce
    rights: Rights


class Data(Message, frozen=True):
    """Agent, first on a connection of its own: this is the one you asked for."""

    connection_id: ConnectionId
    token: Nonce
    version: int = VERSION


class Go(Message, frozen=True):
    """Hub: so it is. Both ends leave TLS in good order; from there on the bytes are the user's."""


class Declined(Message, frozen=True):
    """Agent: I will not serve this connection; `message` goes to the user."""

    connection_id: ConnectionId
    message: Sentence


class Update(Message, frozen=True):
    """Hub: the rights on this connection are others from here on."""

    connection_id: ConnectionId
    rights: Rights


class Cut(Message, frozen=True):
    """Hub: end this connection and all that runs under it; `message` goes to the terminal."""

    connection_id: ConnectionId
    message: Sentence


class Holding(Message, frozen=True):
    """Agent, after its welcome: these connections are open here. A hub that was away takes them up again."""

    connection_ids: Annotated[tuple[ConnectionId, ...], Meta(max_length=1_000)]


class Asked(StrEnum):
    SESSION = "session"
    """A channel for a shell, a command or files."""
    FORWARD = "forward"


class Ask(Message, frozen=True):
    """Agent: may this happen on this connection? Without an answer in time it may not."""

    number: Counter
    connection_id: ConnectionId
    kind: Asked
    what: Word
    """session: shell, exec, sftp. forward: direct, remote, unix, agent, x11."""
    login: Word
    session_id: SessionId = ""
    host: Place = ""
    address: Place = ""
    """What `host` was resolved to, once; that is where the forward will lead."""
    port: Port = 0


class Answer(Message, frozen=True):
    number: Counter
    allowed: bool
    message: Sentence = ""


class Told(StrEnum):
    SESSION_END = "session.end"
    EXEC = "exec"
    FILE = "file.transfer"
    CONNECTION_END = "connection.end"


class Report(Message, frozen=True):
    """Agent: this happened. Numbered per node without gaps, and told until it is heard."""

    number: Counter
    time_us: Microseconds
    connection_id: ConnectionId
    kind: Told
    session_id: SessionId = ""
    login: Annotated[str, Meta(max_length=128)] = ""
    facts: Annotated[dict[Word, Fact], Meta(max_length=32)] = msgspec.field(default_factory=dict)


class Heard(Message, frozen=True):
    """Hub: reports up to this number are written down for good."""

    number: Counter


# The quick way of a client, on 3023.


class Open(Message, frozen=True):
    """Client, under a user's certificate: connect me with this node. Again with `otp` when one is wanted."""

    node: Place
    login: Annotated[str, Meta(max_length=128)] = ""
    otp: Annotated[str, Meta(max_length=64)] = ""
    version: int = VERSION


class OtpWanted(Message, frozen=True):
    """Hub: a role asks for a second factor at each connection."""

    message: Sentence


class Granted(Message, frozen=True):
    """Hub: the node is there. Both ends leave TLS in good order; what follows is SSH with the node itself."""

    connection_id: ConnectionId
    node: Word
    cluster: Word
    node_id: Word
    logins: Annotated[tuple[Word, ...], Meta(max_length=64)] = ()
