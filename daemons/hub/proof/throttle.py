"""How often one may guess. Pure: the caller says what time it is, in monotonic seconds.

1. Counted per (name, address) and per address, so that nobody can lock somebody else out.
2. A name that does not exist counts like one that does.
3. The first few failures are free, then each doubles the wait, up to a ceiling; a success forgets the
   (name, address), never the address.
4. The table is bounded; the entry that failed longest ago goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from mezite.errors import Throttled

FREE_PER_NAME: Final = 5
FREE_PER_ADDRESS: Final = 30
CEILING_S: Final = 300.0
FORGET_S: Final = 900.0
ENTRIES: Final = 20_000


@dataclass(slots=True)
class _Failures:
    count: int
    last: float
    open_at: float


class Throttle:
    def __init__(self) -> None:
        self._table: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def check(self, name: str, address: str, now: float) -> None:
        """Raises `Throttled` while this name at this address, or this address, has to wait."""
        wait = max(
            (entry.open_at - now for key in _keys(name, address) if (entry := self._table.get(key))),
            default=0.0,
        )
        if wait > 0:
            raise Throttled(f"too many failed logins; try again in {int(wait) + 1} s")

    def failed(self, name: str, address: str, now: float) -> None:
        for key, free in zip(_keys(name, address), (FREE_PER_NAME, FREE_PER_ADDRESS), strict=True):
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

    def succeeded(self, name: str, address: str) -> None:
        self._table.pop((f"name {name}", address), None)


def _keys(name: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (f"name {name}", address), ("", address)
