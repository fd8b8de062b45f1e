"""The audit trail and the feed of the memory engine: lists, searched from end to end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from mezite.audit.chain import Head, Record
from mezite.clock import to_us
from mezite.errors import TooLarge
from mezite.model.change import Change
from mezite.storage.ends import COLUMNS, Ends, Filed, is_misfiled
from mezite.storage.ports import MAX_TYPES, AuditFilter
from mezite.storage.shelves import indexable

_TIME: Final = COLUMNS.index("time_us")
_TYPE: Final = COLUMNS.index("type")
_TEXTS: Final = ("user", "node", "session_id", "request_id")


@dataclass(slots=True)
class Ledger:
    """Everything that only grows."""

    ends: Ends = field(default_factory=Ends)
    filed: list[Filed] = field(default_factory=list)
    event_ids: set[str] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)
    signed: dict[tuple[int, str], Head] = field(default_factory=dict)


class MemoryTrail:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def query(self, which: AuditFilter, *, before: int = 0, after: int = 0, limit: int) -> list[Record]:
        if len(which.types) > MAX_TYPES:
            raise TooLarge(f"at most {MAX_TYPES} types of events can be asked for at once")
        filed = self._ledger.filed[after : before - 1 if before else None]
        walk = filed if after else reversed(filed)
        return [one.record for one in islice((one for one in walk if _holds(which, one)), limit)]

    def records(self, *, after: int, limit: int) -> list[Record]:
        return [one.record for one in self._ledger.filed[after : after + limit]]

    def misfiled(self, *, limit: int) -> list[int]:
        return list(islice(self._misfiled(), limit))

    def head(self) -> Head | None:
        return self._ledger.ends.head()

    def signed_heads(self, *, after: int = 0, limit: int) -> list[Head]:
        later = (head for (seq, _), head in sorted(self._ledger.signed.items()) if seq > after)
        return list(islice(later, limit))

    def _misfiled(self) -> Iterator[int]:
        highest = 0
        for one in self._ledger.filed:
            if is_misfiled(one.record.body, one.columns, one.highest_us, highest):
                yield one.record.seq
            highest = one.highest_us


class MemoryChanges:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def after(self, revision: int, *, limit: int) -> list[Change]:
        return list(islice((line for line in self._ledger.changes if line.revision > revision), limit))

    def span(self) -> tuple[int, int]:
        newest = self._ledger.ends.feed
        lines = self._ledger.changes
        oldest = lines[0].revision if lines else newest + 1
        return (oldest, newest) if newest else (0, 0)


def _holds(which: AuditFilter, one: Filed) -> bool:
    time_us, type_ = int(one.columns[_TIME]), str(one.columns[_TYPE])
    texts = (
        one.columns[COLUMNS.index(name)] == indexable(wanted)
        for name in _TEXTS
        if (wanted := getattr(which, name))
    )
    return (
        (not which.types or any(_fits(type_, pattern) for pattern in which.types))
        and (which.since is None or time_us >= to_us(which.since))
        and (which.until is None or time_us < to_us(which.until))
        and all(texts)
    )


def _fits(type_: str, pattern: str) -> bool:
    return type_.startswith(pattern[:-1]) if pattern.endswith("*") else type_ == pattern
