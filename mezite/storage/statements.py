"""Every statement on the shelves, built once per plan and shape. No connection here, and no values.

Parameters: `key`, `seen` (the revision the writer read), `next`, `body`, `after`, `limit`, `c_<column>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Select, Table, bindparam, delete, exists, func, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mezite.storage.executor import Statement
from mezite.storage.shelves import Plan, Value
from mezite.storage.tables import SHELVES


def insert_unless_taken(table: Table, values: Mapping[str, Any]) -> Statement:
    """Touches no row when the key or a unique column is taken. (An error would doom the transaction.)"""
    return Statement(
        postgresql.insert(table).values(values).on_conflict_do_nothing(),
        for_sqlite=sqlite.insert(table).values(values).on_conflict_do_nothing(),
    )


def at_most(rows: Select[Any]) -> Select[Any]:
    """The first `limit` of them. Without an offset SQLite's compiler would add a parameter of its own."""
    return rows.limit(bindparam("limit")).offset(literal_column("0"))


def column_params(columns: Mapping[str, Value]) -> dict[str, Value]:
    return {f"c_{name}": value for name, value in columns.items()}


@cache
def get(plan: Plan[Any]) -> Statement:
    table = SHELVES[plan.table]
    return Statement(_row(plan).where(table.c[plan.key] == bindparam("key")))


@cache
def insert(plan: Plan[Any]) -> Statement:
    return insert_unless_taken(
        SHELVES[plan.table],
        {
            plan.key: bindparam("key"),
            "revision": bindparam("next"),
            "body": bindparam("body"),
            **_settings(plan),
        },
    )


@cache
def replace(plan: Plan[Any]) -> Statement:
    """Touches no row when another revision is stored, or another row holds a unique value of this one."""
    table = SHELVES[plan.table]
    statement = (
        update(table)
        .where(table.c[plan.key] == bindparam("key"), table.c.revision == bindparam("seen"))
        .values({"revision": bindparam("next"), "body": bindparam("body"), **_settings(plan)})
    )
    if uniques := [column.name for column in plan.columns if column.unique]:
        other = table.alias("other")
        same = or_(*(other.c[name] == bindparam(f"c_{name}") for name in uniques))
        statement = statement.where(~exists().where(other.c[plan.key] != bindparam("key"), same))
    return Statement(statement)


@cache
def remove(plan: Plan[Any]) -> Statement:
    table = SHELVES[plan.table]
    return Statement(
        delete(table).where(table.c[plan.key] == bindparam("key"), table.c.revision == bindparam("seen"))
    )


@cache
def find(plan: Plan[Any], names: tuple[str, ...]) -> Statement:
    return Statement(_row(plan).where(*_equal(plan, names)).order_by(SHELVES[plan.table].c[plan.key]))


@cache
def page(plan: Plan[Any], names: tuple[str, ...]) -> Statement:
    key = SHELVES[plan.table].c[plan.key]
    rows = _row(plan).where(*_equal(plan, names), key > bindparam("after"))
    return Statement(at_most(rows.order_by(key)))


@cache
def count(plan: Plan[Any], names: tuple[str, ...]) -> Statement:
    return Statement(select(func.count()).select_from(SHELVES[plan.table]).where(*_equal(plan, names)))


def _row(plan: Plan[Any]) -> Any:
    table = SHELVES[plan.table]
    return select(table.c[plan.key], table.c.revision, table.c.body)


def _settings(plan: Plan[Any]) -> dict[str, Any]:
    return {column.name: bindparam(f"c_{column.name}") for column in plan.columns}


def _equal(plan: Plan[Any], names: tuple[str, ...]) -> list[Any]:
    table = SHELVES[plan.table]
    return [table.c[name] == bindparam(f"c_{name}") for name in names]
