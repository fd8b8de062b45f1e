"""The tables as SQLAlchemy sees them. `migrations/` makes them; a test holds the two together on each engine.

Text compares by code point everywhere (`COLLATE "C"` on PostgreSQL, whatever the server's language), so key
order, and with it every page, is the same on all engines.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy import Column as SqlColumn
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from mezite.storage.shelves import PLANS, Plan

METADATA: Final = MetaData()

PLAIN: Final = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
NUMBER: Final = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite's INTEGER has 64 bits, and as a primary key is the row's own number."""

_KINDS: Final[dict[type, TypeEngine[Any]]] = {str: PLAIN, int: NUMBER}


def _shelf(plan: Plan[Any]) -> Table:
    return Table(
        plan.table,
        METADATA,
        SqlColumn(plan.key, PLAIN, primary_key=True),
        *(SqlColumn(column.name, _KINDS[column.kind], nullable=False) for column in plan.columns),
        SqlColumn("revision", NUMBER, nullable=False),
        SqlColumn("body", Text, nullable=False),
        # The key ends every index, so a page of equal columns comes in key order without sorting.
        *(
            Index(f"{plan.table}_by_{column.name}", column.name, unique=True)
            if column.unique
            else Index(f"{plan.table}_by_{column.name}", column.name, plan.key)
            for column in plan.columns
        ),
    )


SHELVES: Final[dict[str, Table]] = {plan.table: _shelf(plan) for plan in PLANS}

AUDIT: Final = Table(
    "audit",
    METADATA,
    SqlColumn("seq", NUMBER, primary_key=True, autoincrement=False),
    SqlColumn("id", PLAIN, nullable=False),
    SqlColumn("time_us", NUMBER, nullable=False),
    SqlColumn("highest_us", NUMBER, nullable=False),
    SqlColumn("type", PLAIN, nullable=False),
    SqlColumn("code", PLAIN, nullable=False),
    SqlColumn("user", PLAIN, nullable=False),
    SqlColumn("node", PLAIN, nullable=False),
    SqlColumn("session_id", PLAIN, nullable=False),
    SqlColumn("request_id", PLAIN, nullable=False),
    SqlColumn("hash", LargeBinary, nullable=False),
    SqlColumn("body", Text, nullable=False),
    Index("audit_by_id", "id", unique=True),
    Index("audit_by_highest", "highest_us", "seq"),
    Index("audit_by_type", "type", "seq"),
    Index("audit_by_user_type", "user", "type", "seq"),
    Index("audit_by_user", "user", "seq"),
    Index("audit_by_node", "node", "seq"),
    Index("audit_by_session", "session_id", "seq"),
    Index("audit_by_request", "request_id", "seq"),
)

CHANGES: Final = Table(
    "changes",
    METADATA,
    SqlColumn("revision", NUMBER, primary_key=True, autoincrement=False),
    SqlColumn("kind", PLAIN, nullable=False),
    SqlColumn("key", PLAIN, nullable=False),
    SqlColumn("op", PLAIN, nullable=False),
    SqlColumn("time_us", NUMBER, nullable=False),
)

CHAIN_HEAD: Final = Table(
    "chain_head",
    METADATA,
    SqlColumn("id", Integer, CheckConstraint("id = 1", name="chain_head_is_one_row"), primary_key=True),
    SqlColumn("seq", NUMBER, nullable=False),
    SqlColumn("hash", LargeBinary, nullable=False),
    SqlColumn("time_us", NUMBER, nullable=False),
    SqlColumn("highest_us", NUMBER, nullable=False),
    SqlColumn("widest_lag_us", NUMBER, nullable=False),
    SqlColumn("feed", NUMBER, nullable=False),
)

SIGNED_HEADS: Final = Table(
    "signed_heads",
    METADATA,
    SqlColumn("seq", NUMBER, primary_key=True, autoincrement=False),
    SqlColumn("key_id", PLAIN, primary_key=True),
    SqlColumn("hash", LargeBinary, nullable=False),
    SqlColumn("time_us", NUMBER, nullable=False),
    SqlColumn("signature", LargeBinary, nullable=False),
)
