"""What a hub and a relay say to one another over their SOCK_SEQPACKET socket, one message a packet. Pure.

    hub to relay   Hello   Take (with two descriptors: client, agent)   Cut   List   Heard   Drain
    relay to hub   Ready   Taken | Refused                              Ended Pairs

A packet is one byte of kind and a body; numbers are big-endian. Kinds and the numbers of the enums are never
used again, and the first three bytes of Hello and Ready never change, so that a hub can tell a relay of
another age. Hub and relay are the same user on one machine; what does not parse is a fault, not an attack,
and ends the connection all the same.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import Final

from mezite.errors import Invalid

PROTOCOL: Final = 1
FIRST_MAX: Final = 64 * 1024
"""Bytes that one end had already said when the pair was handed over: at most what one read brings."""
PAGE: Final = 1024
RELEASE_MAX: Final = 64

_ID: Final = 16
_VERSION: Final = struct.Struct("!H")
_READY: Final = struct.Struct("!HII1s")
_LENGTH: Final = struct.Struct("!I")
_ENTRY: Final = struct.Struct("!16sQQ")
_ENDED: Final = struct.Struct("!16sQQB")

LARGEST: Final = 1 + _ID + _LENGTH.size + 2 * FIRST_MAX
"""The longest packet there is: a Take, both of whose ends spoke as early as they could."""


class Malformed(Invalid):
    default_code = "malformed"


@unique
class End(IntEnum):
    """Why a pair is over."""

    CLOSED = 1
    BROKEN = 2
    CUT = 3
    STOPPED = 4

    @property
    def words(self) -> str:
        return _END_WORDS[self]


_END_WORDS: Final = {
    End.CLOSED: "closed by both ends",
    End.BROKEN: "broken off by one end",
    End.CUT: "cut on order",
    End.STOPPED: "the relay was stopped",
}


@unique
class Refusal(IntEnum):
    """Why a relay did not take a pair."""

    FULL = 1
    DRAINING = 2
    KNOWN = 3
    DESCRIPTORS = 4

    @property
    def words(self) -> str:
        return _REFUSAL_WORDS[self]


_REFUSAL_WORDS: Final = {
    Refusal.FULL: "it has no room",
    Refusal.DRAINING: "it is draining",
    Refusal.KNOWN: "it has a pair of that id",
    Refusal.DESCRIPTORS: "the two sockets did not arrive whole",
}


@dataclass(frozen=True, slots=True)
class Hello:
    protocol: int


@dataclass(frozen=True, slots=True)
class Ready:
    protocol: int
    pid: int
    pairs: int
    draining: bool
    release: str
    """The version of Mezite it was started from."""


@dataclass(frozen=True, slots=True)
class Take:
    pair: bytes
    client_first: bytes = field(repr=False)
    """What the client has said already; it goes to the agent before all else."""
    agent_first: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Taken:
    pair: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    pair: bytes
    why: Refusal


@dataclass(frozen=True, slots=True)
class Cut:
    pair: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    pair: bytes
    up: int
    """Bytes delivered from client to agent; `down` is the other way."""
    down: int
    end: End


@dataclass(frozen=True, slots=True)
class Heard:
    """The hub knows of this end: the relay may forget it."""

    pair: bytes


@dataclass(frozen=True, slots=True)
class List:
    """Asks for the pairs whose ids come after this one, in order."""

    after: bytes = bytes(_ID)


@dataclass(frozen=True, slots=True)
class Entry:
    pair: bytes
    up: int
    down: int


@dataclass(frozen=True, slots=True)
class Pairs:
    entries: tuple[Entry, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Drain:
    """Take no more and end with the last pair; `at_once`: and end the pairs."""

    at_once: bool


Message = Hello | Ready | Take | Taken | Refused | Cut | Ended | Heard | List | Pairs | Drain

KINDS: Final[dict[type[Message], int]] = {
    Hello: 1,
    Ready: 2,
    Take: 3,
    Taken: 4,
    Refused: 5,
    Cut: 6,
    Ended: 7,
    Heard: 8,
    List: 9,
    Pairs: 10,
    Drain: 11,
}


def encode(message: Message) -> bytes:
    return bytes((KINDS[type(message)],)) + _body(message)


def _body(message: Message) -> bytes:
    match message:
        case Hello(protocol):
            return _VERSION.pack(protocol)
        case Ready(protocol, pid, pairs, draining, release):
            return _READY.pack(protocol, pid, pairs, bytes((draining,))) + release.encode()[:RELEASE_MAX]
        case Take(pair, client_first, agent_first):
            if max(len(client_first), len(agent_first)) > FIRST_MAX:
                raise Malformed(f"more than {FIRST_MAX} bytes were said before the pair was handed over")
            return pair + _LENGTH.pack(len(client_first)) + client_first + agent_first
        case Taken(pair) | Cut(pair) | Heard(pair) | List(pair):
            return pair
        case Refused(pair, why):
            return pair + bytes((why,))
        case Ended(pair, up, down, end):
            return _ENDED.pack(pair, up, down, end)
        case Pairs(entries, more):
            return bytes((more,)) + b"".join(_ENTRY.pack(each.pair, each.up, each.down) for each in entries)
        case Drain(at_once):
            return bytes((at_once,))


def decode(packet: bytes) -> Message:
    """The message in a packet; `Malformed` for anything that `encode` does not make."""
    parse = _PARSERS.get(packet[0]) if packet else None
    if parse is None:
        raise Malformed("not a message between hub and relay")
    try:
        return parse(packet[1:])
    except (struct.error, ValueError):
        raise Malformed(f"a message of kind {packet[0]} that does not parse") from None


def _ready(body: bytes) -> Ready:
    protocol, pid, pairs, draining = _READY.unpack_from(body)
    release = body[_READY.size :]
    if len(release) > RELEASE_MAX:
        raise ValueError
    return Ready(protocol, pid, pairs, _flag(draining), release.decode())


def _take(body: bytes) -> Take:
    pair, start = body[:_ID], _ID + _LENGTH.size
    (length,) = _LENGTH.unpack_from(body, _ID)
    client_first, agent_first = body[start : start + length], body[start + length :]
    if len(client_first) != length or max(length, len(agent_first)) > FIRST_MAX:
        raise ValueError
    return Take(pair, client_first, agent_first)


def _pairs(body: bytes) -> Pairs:
    entries = tuple(Entry(*fields) for fields in _ENTRY.iter_unpack(body[1:]))
    if len(entries) > PAGE:
        raise ValueError
    return Pairs(entries, _flag(body[:1]))


def _ended(body: bytes) -> Ended:
    pair, up, down, end = _ENDED.unpack(body)
    return Ended(pair, up, down, End(end))


def _refused(body: bytes) -> Refused:
    (why,) = body[_ID:]
    return Refused(body[:_ID], Refusal(why))


def _id(body: bytes) -> bytes:
    if len(body) != _ID:
        raise ValueError
    return body


def _flag(body: bytes) -> bool:
    (number,) = body
    if number > 1:
        raise ValueError
    return bool(number)


_PARSERS: Final[dict[int, Callable[[bytes], Message]]] = {
    1: lambda body: Hello(*_VERSION.unpack(body)),
    2: _ready,
    3: _take,
    4: lambda body: Taken(_id(body)),
    5: _refused,
    6: lambda body: Cut(_id(body)),
    7: _ended,
    8: lambda body: Heard(_id(body)),
    9: lambda body: List(_id(body)),
    10: _pairs,
    11: lambda body: Drain(_flag(body)),
}
