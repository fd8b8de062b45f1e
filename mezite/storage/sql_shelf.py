"""A shelf on either SQL engine: rows to nouns and back, and the rules of compare-and-set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Generic

from mezite.errors import Damaged
from mezite.storage import statements
from mezite.storage.codec import N
from mezite.storage.executor import Executor, Rows
from mezite.storage.shelves import Plan, Value, findable


class SqlShelf(Generic[N]):
    __slots__ = ("_executor", "_plan")

    def __init__(self, plan: Plan[N], executor: Executor) -> None:
        self._plan = plan
        self._executor = executor

    def get(self, key: str) -> N | None:
        if not findable(key):
            return None
        return self._only(self._executor.rows(statements.get(self._plan), {"key": key}))

    def one(self, **columns: str) -> N | None:
        names = self._plan.names(columns, unique=True)
        return self._only(self._find(names, columns))

    def all(self, **columns: str) -> list[N]:
        return self._nouns(self._find(self._plan.names(columns), columns))

    def page(self, *, after: str = "", limit: int, **columns: str) -> list[N]:
        names = self._plan.names(columns)
        if not all(map(findable, columns.values())) or not findable(after):
            return []
        params = {"after": after, "limit": limit, **statements.column_params(columns)}
        return self._nouns(self._executor.rows(statements.page(self._plan, names), params))

    def count(self, **columns: str) -> int:
        names = self._plan.names(columns)
        if not all(map(findable, columns.values())):
            return 0
        rows = self._executor.rows(statements.count(self._plan, names), statements.column_params(columns))
        return int(rows[0][0])

    def insert(self, noun: N) -> N:
        stored = dataclasses.replace(noun, revision=1)
        if not self._executor.run(statements.insert(self._plan), self._row(stored)):
            raise self._plan.exists()
        return stored

    def replace(self, noun: N) -> N:
        stored = dataclasses.replace(noun, revision=noun.revision + 1)
        row = {**self._row(stored), "seen": noun.revision}
        if not self._executor.run(statements.replace(self._plan), row):
            raise self._why_not_replaced(noun)
        return stored

    def delete(self, noun: N) -> None:
        row = {"key": self._plan.key_of(noun), "seen": noun.revision}
        if not self._executor.run(statements.remove(self._plan), row):
            raise self._plan.stale()

    def _why_not_replaced(self, noun: N) -> Exception:
        rows = self._executor.rows(statements.get(self._plan), {"key": self._plan.key_of(noun)})
        same = bool(rows) and rows[0][1] == noun.revision
        return self._plan.exists() if same else self._plan.stale()

    def _find(self, names: tuple[str, ...], columns: Mapping[str, Value]) -> Rows:
        if not all(map(findable, columns.values())):
            return []
        return self._executor.rows(statements.find(self._plan, names), statements.column_params(columns))

    def _row(self, stored: N) -> dict[str, object]:
        return {
            "key": self._plan.key_of(stored),
            "next": stored.revision,
            "body": self._plan.codec.encode(stored),
            **statements.column_params(self._plan.columns_of(stored)),
        }

    def _only(self, rows: Rows) -> N | None:
        if len(rows) > 1:
            raise Damaged(f"{self._plan.table}: a unique column holds a value twice")
        return self._nouns(rows)[0] if rows else None

    def _nouns(self, rows: Rows) -> list[N]:
        decode = self._plan.codec.decode
        return [decode(key, revision, body) for key, revision, body in rows]
