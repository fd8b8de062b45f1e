"""Connections that have not yet said who they are: bounded, and fair between addresses. Pure.

1. There is room for so many, and for so many of one address. IPv6 counts by /64: whoever has one address of
   it has all of them.
2. Where there is no room, the oldest goes, of the address that has the most. So whoever opens connections
   and says nothing drops its own, and a node that is quick always gets through.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Final, Protocol

OVERALL: Final = 1_024
PER_ADDRESS: Final = 256


class Droppable(Protocol):
    def abort(self) -> None: ...


class HalfOpen:
    def __init__(self, *, overall: int = OVERALL, per_address: int = PER_ADDRESS) -> None:
        self._overall = overall
        self._per_address = per_address
        # Each inner dict is an ordered set, oldest first; a connection is only ever the same as itself.
        self._by_place: dict[str, dict[int, Droppable]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def enter(self, connection: Droppable, host: str) -> None:
        """Takes it in; whoever has to make room for it is dropped."""
        place = neighbourhood(host)
        if len(self._by_place.get(place, ())) >= self._per_address:
            self._drop_oldest(place)
        elif self._count >= self._overall:
            self._drop_oldest(max(self._by_place, key=lambda crowd: len(self._by_place[crowd])))
        self._by_place.setdefault(place, {})[id(connection)] = connection
        self._count += 1

    def leave(self, connection: Droppable, host: str) -> None:
        """It has said who it is, or is gone. Leaving twice is leaving once."""
        place = neighbourhood(host)
        crowd = self._by_place.get(place, {})
        if crowd.pop(id(connection), None) is None:
            return
        self._count -= 1
        if not crowd:
            del self._by_place[place]

    def _drop_oldest(self, place: str) -> None:
        crowd = self._by_place[place]
        oldest = crowd.pop(next(iter(crowd)))
        self._count -= 1
        if not crowd:
            del self._by_place[place]
        oldest.abort()


def neighbourhood(host: str) -> str:
    """What counts as one address."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)
