"""The audit trail and the feed, read on either SQL engine. Searches walk an index by number, and never sort.

Several types are searched one after the other, each for what is nearer to the start than the worst kept so
far, and merged: each search is one walk down one index, however rare or common its type is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from mezite.audit.chain import Head, Record
from mezite.clock import from_us, to_us
from mezite.errors import Damaged, TooLarge
from mezite.model.change import Change, ChangeKind, ChangeOp
from mezite.storage import trail_statements as sql
from mezite.storage.ends import Ends, is_misfiled
from mezite.storage.executor import Executor
from mezite.storage.ports import MAX_TYPES, AuditFilter
from mezite.storage.shelves import indexable

_END: Final = 2**63 - 1
_AT_ONCE: Final = 256
"""Rows per step of a walk over everything: a few milliseconds of the event loop."""
_MOST_LEAPS: Final = 512


def stored_ends(executor: Executor, *, lock: bool = False) -> Ends:
    """Where chain and feed end as of the last commit; `lock` keeps other hubs' units away until ours."""
    rows = executor.rows(sql.LOCK_ENDS if lock else sql.ENDS, {})
    if len(rows) != 1:
        raise Damaged("chain_head: the row that says where the chain ends is missing; restore a backup")
    return Ends(*rows[0])


class SqlTrail:
    __slots__ = ("_ends", "_executor")

    def __init__(self, executor: Executor, ends: Callable[[], Ends]) -> None:
        self._executor = executor
        self._ends = ends

    def query(self, which: AuditFilter, *, before: int = 0, after: int = 0, limit: int) -> list[Record]:
        low, high = self._span(which, after, before or _END)
        newest_first = not after
        found: list[Record] = []
        for type_ in self._types(which.types):
            if len(found) == limit and newest_first:
                low = found[-1].seq
            elif len(found) == limit:
                high = found[-1].seq
            found += self._walk(which, type_, low, high, limit, newest_first=newest_first)
            found.sort(key=_number, reverse=newest_first)
            del found[limit:]
        return found

    def records(self, *, after: int, limit: int) -> list[Record]:
        return [Record(*row) for row in self._executor.rows(sql.RECORDS, {"low": after, "limit": limit})]

    def misfiled(self, *, limit: int) -> list[int]:
        wrong: list[int] = []
        highest = 0
        for seq, body, highest_us, *columns in self._everything():
            if is_misfiled(body, tuple(columns), highest_us, highest):
                wrong.append(seq)
                if len(wrong) >= limit:
                    break
            highest = highest_us
        return wrong

    def head(self) -> Head | None:
        return self._ends().head()

    def signed_heads(self, *, after: int = 0, limit: int) -> list[Head]:
        rows = self._executor.rows(sql.SIGNED, {"low": after, "limit": limit})
        return [
            Head(seq, digest, from_us(time_us), key_id, signature)
            for seq, digest, time_us, key_id, signature in rows
        ]

    def _span(self, which: AuditFilter, low: int, high: int) -> tuple[int, int]:
        """The numbers, both outside, between which everything of the filter's time lies (see `ends`)."""
        if which.since is not None:
            low = max(low, self._first(to_us(which.since)) - 1)
        if which.until is not None:
            high = min(high, self._first(to_us(which.until) + self._ends().widest_lag_us))
        return low, high

    def _first(self, moment_us: int) -> int:
        rows = self._executor.rows(sql.FIRST_SINCE, {"moment": moment_us, "limit": 1})
        return int(rows[0][0]) if rows else _END

    def _types(self, patterns: tuple[str, ...]) -> list[str | None]:
        """The types to search for; `None` stands for all."""
        if not patterns or "*" in patterns:
            return [None]
        if len(patterns) > MAX_TYPES:
            raise TooLarge(f"at most {MAX_TYPES} types of events can be asked for at once")
        types: set[str | None] = set()
        for pattern in patterns:
            begin = indexable(pattern.removesuffix("*"))
            types.add(begin)
            if pattern.endswith("*"):
                types.update(self._beginning(begin))
        return list(types)

    def _beginning(self, prefix: str) -> Iterator[str]:
        """The longer types there are, found by leaps from each to the next."""
        after = prefix
        for _ in range(_MOST_LEAPS):
            rows = self._executor.rows(sql.NEXT_TYPE, {"after": after, "limit": 1})
            if not rows or not rows[0][0].startswith(prefix):
                return
            after = rows[0][0]
            yield after

    def _walk(
        self, which: AuditFilter, type_: str | None, low: int, high: int, limit: int, *, newest_first: bool
    ) -> list[Record]:
        texts = {
            "node": which.node,
            "request_id": which.request_id,
            "session_id": which.session_id,
            "type": type_,
            "user": which.user,
        }
        given = {name: indexable(text) for name, text in texts.items() if text}
        params: dict[str, Any] = {f"c_{name}": text for name, text in given.items()}
        params |= {"low": low, "high": high, "limit": limit}
        if which.since is not None:
            params["since"] = to_us(which.since)
        if which.until is not None:
            params["until"] = to_us(which.until)
        statement = sql.search(
            tuple(given), since="since" in params, until="until" in params, newest_first=newest_first
        )
        return [Record(*row) for row in self._executor.rows(statement, params)]

    def _everything(self) -> Iterator[Any]:
        last = 0
        while rows := self._executor.rows(sql.FILED, {"low": last, "limit": _AT_ONCE}):
            yield from rows
            last = rows[-1][0]


class SqlChanges:
    __slots__ = ("_ends", "_executor")

    def __init__(self, executor: Executor, ends: Callable[[], Ends]) -> None:
        self._executor = executor
        self._ends = ends

    def after(self, revision: int, *, limit: int) -> list[Change]:
        rows = self._executor.rows(sql.CHANGES_AFTER, {"low": revision, "limit": limit})
        return [
            Change(number, ChangeKind(kind), key, ChangeOp(op), from_us(time_us))
            for number, kind, key, op, time_us in rows
        ]

    def span(self) -> tuple[int, int]:
        newest = self._ends().feed
        oldest = self._executor.rows(sql.OLDEST_CHANGE, {})[0][0]
        return (newest + 1 if newest else 0) if oldest is None else int(oldest), newest


def _number(record: Record) -> int:
    return record.seq
