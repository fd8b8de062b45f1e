"""How often one may guess. Pure: the caller says what time it is, in monotonic seconds.

1. Counted per (name, address) and per address, so that nobody can lock somebody else out.
2. A name that does not exist counts like one that does.
3. The first few failures are free, then each doubles the wait, up to a ceiling; a success forgets the
   (name, address), never the address.
4. A guess counts from its beginning until it proves right: many at once are no way around the count.
5. A password without its code counts for the (name, address) alone: whoever logs in with a code begins so.
6. Of IPv6 the first 64 bits are the address: whoever has one of those has them all.
7. The table is bounded; the entry that was counted longest ago goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv6Address, ip_address
from typing import Final

from mezite.errors import Throttled

FREE_PER_NAME: Final = 5
FREE_PER_ADDRESS: Final = 30
CEILING_S: Final = 300.0
FORGET_S: Final = 900.0
ENTRIES: Final = 20_000
LONGEST_NAME: Final = 256
"""Of a name only so much is told apart: the table's memory is bounded too."""

Key = tuple[str, str]


@dataclass(slots=True)
class _Failures:
    count: int
    last: float
    open_at: float


class _Verdict(Enum):
    NONE = "none"
    WRONG = "wrong"
    HALF = "half"
    RIGHT = "right"


class Guess:
    """One guess under way. Left without a verdict it was none: nothing about it was judged."""

    def __init__(self) -> None:
        self.verdict = _Verdict.NONE

    def wrong(self) -> None:
        self.verdict = _Verdict.WRONG

    def half(self) -> None:
        """The password held and the code is missing: on the way in, or a thief who has no code."""
        self.verdict = _Verdict.HALF

    def right(self) -> None:
        self.verdict = _Verdict.RIGHT


class Throttle:
    def __init__(self) -> None:
        self._table: OrderedDict[Key, _Failures] = OrderedDict()

    @contextmanager
    def guess(self, name: str, address: str, now: float) -> Iterator[Guess]:
        """Lets one guess happen; `Throttled` while the name at this address, or the address, has to wait."""
        by_name, by_address = _keys(name, address)
        wait = max(self._wait(by_name, now), self._wait(by_address, now))
        if wait > 0:
            raise Throttled(f"too many failed logins; try again in {int(wait) + 1} s")
        self._count(by_name, FREE_PER_NAME, now)
        self._count(by_address, FREE_PER_ADDRESS, now)
        guess = Guess()
        try:
            yield guess
        finally:
            match guess.verdict:
                case _Verdict.WRONG:
                    pass
                case _Verdict.HALF:
                    self._take_back(by_address, FREE_PER_ADDRESS)
                case _Verdict.RIGHT:
                    self._table.pop(by_name, None)
                    self._take_back(by_address, FREE_PER_ADDRESS)
                case _Verdict.NONE:
                    self._take_back(by_name, FREE_PER_NAME)
                    self._take_back(by_address, FREE_PER_ADDRESS)

    def _wait(self, key: Key, now: float) -> float:
        entry = self._table.get(key)
        return entry.open_at - now if entry else 0.0

    def _count(self, key: Key, free: int, now: float) -> None:
        entry = self._table.pop(key, None)
        if entry is None or now - entry.last > FORGET_S:
            entry = _Failures(0, now, now)
        entry.count += 1
        entry.last = now
        excess = entry.count - free
        entry.open_at = now + (min(CEILING_S, 2.0 ** min(excess, 10)) if excess >= 0 else 0.0)
        self._table[key] = entry
        while len(self._table) > ENTRIES:
            self._table.popitem(last=False)

    def _take_back(self, key: Key, free: int) -> None:
        entry = self._table.get(key)
        if entry is None:
            return
        entry.count -= 1
        if entry.count <= 0:
            del self._table[key]
        elif entry.count < free:
            entry.open_at = entry.last


def _keys(name: str, address: str) -> tuple[Key, Key]:
    source = source_of(address)
    return (f"name {name[:LONGEST_NAME]}", source), ("", source)


def source_of(address: str) -> str:
    """What counts as one address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return parsed.packed[:8].hex()
    return address
