"""Records that do not link, told apart: put in another's place, intact beside one that was, or changed.

Pure. What is asked is whether hashes fit together; what that means for the log is `verify`'s to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from mezite.audit.chain import Record, link

MAX_SUSPECTS: Final = 16
"""Tried in each other's places: the work grows with the cube, and the chances that it helps do not."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A record whose hash does not follow from `previous`, the hash stored before it."""

    record: Record
    previous: bytes


@dataclass(frozen=True, slots=True)
class Sorted:
    """By number: those `moved`, and where they were written; those `changed`. The rest is intact."""

    moved: dict[int, int]
    changed: tuple[int, ...]


def sort_out(suspects: Sequence[Suspect]) -> Sorted:
    """Never clears them all: a broken link always leaves somebody to name."""
    hashes = {suspect.previous for suspect in suspects} | {suspect.record.hash for suspect in suspects}
    moved: dict[int, int] = {}
    for here, there in product(suspects, suspects):
        if here is not there and _was_written_at(here.record, there.record, hashes):
            moved[here.record.seq] = there.record.seq
    rest = [suspect.record for suspect in suspects if suspect.record.seq not in moved]
    changed = [record for record in rest if not _is_intact(record, hashes)]
    if not moved and not changed:
        changed = rest
    return Sorted(moved, tuple(record.seq for record in changed))


def _was_written_at(record: Record, place: Record, hashes: set[bytes]) -> bool:
    """Its own hash may have come along or stayed behind."""
    return any(
        link(previous, place.seq, record.body).hash in (record.hash, place.hash) for previous in hashes
    )


def _is_intact(record: Record, hashes: set[bytes]) -> bool:
    """It follows from a hash that stood before it once; its neighbour is what was moved."""
    return any(link(previous, record.seq, record.body).hash == record.hash for previous in hashes)
