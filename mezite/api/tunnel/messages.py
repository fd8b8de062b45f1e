"""What can be said on a tunnel connection, as JSON objects whose `type` names the message.

Only shapes and sizes are judged here: whether a name is a name, a key a key and a label a label is the
business of whoever acts on it. A field that is not known is passed over, so that a later version may add
one; a message that is not known ends the conversation. Types and fields are never given another meaning.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from mezite.api.tunnel.orders import (
    Answer,
    Ask,
    Cut,
    Data,
    Declined,
    Dial,
    Go,
    Granted,
    Heard,
    Holding,
    Open,
    OtpWanted,
    Report,
    Update,
)
from mezite.api.tunnel.shapes import (
    MAX_AUTHORITIES,
    MAX_SENTENCE_CHARS,
    VERSION,
    Counter,
    Der,
    Digest,
    Key,
    Labels,
    Message,
    Microseconds,
    Nonce,
    Pem,
    Seconds,
    Sentence,
    Word,
)
from mezite.errors import Invalid


class Issued(msgspec.Struct, frozen=True):
    """Certificates of one issue, and whom to trust from here on. They are kept and replaced together."""

    node_id: Word
    name: Word
    cluster: Word
    ssh_certificate: Key
    """The host certificate, one OpenSSH line."""
    tls_certificate: Pem
    issued_us: Microseconds
    expires_us: Microseconds
    tls_authorities: Pem
    """PEM; whoever the hub's own certificate must come from."""
    user_authorities: Annotated[tuple[Key, ...], Meta(max_length=MAX_AUTHORITIES)]
    """OpenSSH lines of the keys that sign users' certificates."""
    host_authorities: Annotated[tuple[Key, ...], Meta(max_length=MAX_AUTHORITIES)]


class Join(Message, frozen=True):
    """Agent: I hold this token (its id; never its secret) and want to be a node by this name."""

    token_id: Word
    nonce: Nonce
    name: Word
    labels: Labels
    agent_version: Word
    ssh_public_key: Key
    tls_public_key: Annotated[bytes, Meta(min_length=1, max_length=512)]
    """SubjectPublicKeyInfo, DER, P-256."""
    former_certificate: Annotated[bytes, Meta(max_length=4_096)] = b""
    """DER. Who already is a node shows the certificate it had for the same key, also an expired one."""
    version: int = VERSION


class Challenge(Message, frozen=True):
    """Hub: so do I know the token, and these are the authorities my certificate comes from."""

    nonce: Nonce
    cluster: Word
    authorities: Annotated[tuple[Der, ...], Meta(min_length=1, max_length=MAX_AUTHORITIES)]
    proof: Digest
    version: int = VERSION


class Proof(Message, frozen=True):
    """Agent: here is my proof; and a signature by the key that is to be certified."""

    proof: Digest
    signature: Annotated[bytes, Meta(min_length=1, max_length=128)]


class Joined(Message, frozen=True):
    issued: Issued
    auth_addr: Annotated[str, Meta(max_length=512)] = ""
    """Where the API is; an empty host means the one this connection went to."""


class Hello(Message, frozen=True):
    """Agent, on a connection that showed a node's certificate: this is my control line."""

    agent_version: Word
    labels: Labels
    version: int = VERSION


class Welcome(Message, frozen=True):
    """Hub: the line stands. You hear from me at least every `keepalive_s`."""

    hub_id: Word
    hub_version: Word
    line_id: Word
    keepalive_s: Seconds
    version: int = VERSION


class Ping(Message, frozen=True):
    number: Counter


class Pong(Message, frozen=True):
    number: Counter


class Renew(Message, frozen=True):
    """Agent: certify the key of this connection, and this host key, once more."""

    ssh_public_key: Key


class Renewed(Message, frozen=True):
    issued: Issued


class Refused(Message, frozen=True):
    """Hub: no, and this is the last word on this connection. `code` is for programs, `message` for people."""

    code: Word
    message: Sentence


class Bye(Message, frozen=True):
    """Either end leaves in good order; coming back at once is welcome."""

    reason: Sentence = ""


AnyMessage = (
    Join | Challenge | Proof | Joined | Hello | Welcome | Ping | Pong | Renew | Renewed | Refused | Bye
    | Dial | Data | Go | Declined | Update | Cut | Holding | Ask | Answer | Report | Heard
    | Open | OtpWanted | Granted
)  # fmt: skip

_decoder: Final[msgspec.json.Decoder[AnyMessage]] = msgspec.json.Decoder(AnyMessage)
_encoder: Final = msgspec.json.Encoder()


def encode(message: AnyMessage) -> bytes:
    return _encoder.encode(message)


def decode(payload: bytes) -> AnyMessage:
    """Raises `Invalid` on whatever is not one of the messages above, within its bounds."""
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # What msgspec says quotes field names and types, never values, but field names come from outside too.
        raise Invalid("a message that this version does not understand", code="bad_message") from error


def sentence(text: str) -> str:
    """A text made to fit `Sentence`: one line, bounded."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_SENTENCE_CHARS else line[: MAX_SENTENCE_CHARS - 1] + "…"


def check_version(version: int) -> None:
    if version != VERSION:
        raise Invalid(
            f"the other end speaks version {version} of the tunnel protocol, this one speaks {VERSION}; "
            "bring both to the same release",
            code="version",
        )
