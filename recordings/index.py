"""The index of chunks: where each is, when it starts, how much it showed. Packed, because there are many.

It stands at the end of a finished recording, under its signature, and is rebuilt by a scan for one without.
A reader jumps by it; a timeline draws activity from it without opening a single chunk.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_ENTRY = struct.Struct(">QQII")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """Where a chunk is and what it covers, so that a reader can jump and a timeline can show activity."""

    offset: int
    start_us: int
    size: int
    output_bytes: int


def pack_index_entry(entry: IndexEntry) -> bytes:
    """One index entry as it stands in the end record."""
    return _ENTRY.pack(entry.offset, entry.start_us, entry.size, entry.output_bytes)


class ChunkIndex:
    """A packed index read in place: `len`, `[]`, and the entry that covers a time by bisection."""

    __slots__ = ("_packed",)

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def __len__(self) -> int:
        return len(self._packed) // _ENTRY.size

    def __getitem__(self, number: int) -> IndexEntry:
        if not 0 <= number < len(self):
            raise IndexError(number)
        return IndexEntry(*_ENTRY.unpack_from(self._packed, number * _ENTRY.size))

    def __iter__(self) -> Iterator[IndexEntry]:
        return (IndexEntry(*fields) for fields in _ENTRY.iter_unpack(self._packed))

    def at(self, time_us: int) -> int:
        """The first chunk to read for everything from `time_us` on.

        That is the last one to start *before* it: of several that start at that very moment none is left out.
        """
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self[middle].start_us < time_us:
                low = middle + 1
            else:
                high = middle
        return max(low - 1, 0)
