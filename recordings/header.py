"""The header of a recording: who, where and when, in the clear, and the wrapped content key.

Everything here can be read by whoever holds the file, and is covered by the chain and its signatures.
What was run or shown never stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from recordings.errors import MalformedInput
from recordings.fields import Fields, b64, to_json
from recordings.frames import ID_BYTES, MAX_HEADER, MAX_TIME_US, MAX_WRAPS
from recordings.payload import check_size


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """The content key, openable by the holder of one private key; `keys` makes and opens them."""

    key_id: str
    ephemeral: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """Who, where and when, in the clear; `node_key` empty means that the recording is not signed."""

    id: bytes
    session: str
    started_at_us: int
    """Wall clock at the first event, microseconds since 1970."""
    columns: int
    rows: int
    keys: tuple[WrappedKey, ...]
    cluster: str = ""
    node: str = ""
    user: str = ""
    login: str = ""
    term: str = ""
    node_key: bytes = b""
    """Ed25519 public key of the node, raw."""
    host_certificate: bytes = b""
    """The node's OpenSSH host certificate, one line, as `sshd` would present it. Opaque here."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields this version does not know. Kept, never interpreted."""


_TEXT_FIELDS: Final = ("session", "cluster", "node", "user", "login", "term")
_HEADER_FIELDS: Final = frozenset(
    {*_TEXT_FIELDS, "id", "started_at_us", "columns", "rows", "keys", "node_key", "host_certificate"}
)


def encode_header(header: Header) -> bytes:
    """The header's payload: one JSON object, keys sorted, ASCII."""
    check_size(header.columns, header.rows)
    if len(header.id) != ID_BYTES:
        raise MalformedInput(f"recording id of {len(header.id)} bytes, not {ID_BYTES}")
    if not 1 <= len(header.keys) <= MAX_WRAPS:
        raise MalformedInput(f"{len(header.keys)} wrapped keys, not 1..{MAX_WRAPS}")
    fields: dict[str, Any] = dict(header.extra) | {name: getattr(header, name) for name in _TEXT_FIELDS}
    fields |= {
        "id": header.id.hex(),
        "started_at_us": header.started_at_us,
        "columns": header.columns,
        "rows": header.rows,
        "node_key": b64(header.node_key),
        "host_certificate": b64(header.host_certificate),
        "keys": [
            {"key_id": key.key_id, "ephemeral": b64(key.ephemeral), "sealed": b64(key.sealed)}
            for key in header.keys
        ],
    }
    return to_json(fields, MAX_HEADER)


def decode_header(payload: bytes, offset: int) -> Header:
    """A header from its payload; every field checked, unknown ones kept."""
    read = Fields(payload, offset)
    header = Header(
        id=read.hex("id", ID_BYTES),
        session=read.text("session"),
        started_at_us=read.number("started_at_us", MAX_TIME_US),
        columns=read.number("columns", MAX_TIME_US),
        rows=read.number("rows", MAX_TIME_US),
        keys=tuple(_wrapped(entry, offset) for entry in read.items("keys", MAX_WRAPS)),
        cluster=read.text("cluster"),
        node=read.text("node"),
        user=read.text("user"),
        login=read.text("login"),
        term=read.text("term"),
        node_key=read.base64("node_key", (0, 32)),
        host_certificate=read.base64("host_certificate", None),
        extra=read.unknown(_HEADER_FIELDS),
    )
    try:
        check_size(header.columns, header.rows)
    except MalformedInput as wrong:
        raise read.malformed(str(wrong)) from None
    if not header.keys:
        raise read.malformed("no wrapped key")
    return header


def _wrapped(entry: Any, offset: int) -> WrappedKey:
    read = Fields(entry, offset)
    return WrappedKey(
        read.hex_text("key_id", 8), read.base64("ephemeral", (32,)), read.base64("sealed", (48,))
    )
