"""Nouns, the audit chain, the feed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PLAIN = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# table: (key, unique columns, other columns)
SHELVES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "users": ("id", ("name",), ()),
    "credentials": ("user_id", (), ()),
    "enrolments": ("token_hash", (), ("user_id",)),
    "access_tokens": ("id", ("token_hash",), ("user_id",)),
    "roles": ("name", (), ()),
    "nodes": ("id", ("name",), ()),
    "presence": ("line_id", (), ("node_id", "hub_id")),
    "hub_pulses": ("hub_id", (), ()),
    "join_tokens": ("id", (), ()),
    "locks": ("id", (), ("target", "value")),
    "authorities": ("id", (), ("kind",)),
    "clusters": ("name", (), ()),
}

AUDIT_INDEXES = {
    "audit_by_highest": ["highest_us", "seq"],
    "audit_by_type": ["type", "seq"],
    "audit_by_user_type": ["user", "type", "seq"],
    "audit_by_user": ["user", "seq"],
    "audit_by_node": ["node", "seq"],
    "audit_by_session": ["session_id", "seq"],
    "audit_by_request": ["request_id", "seq"],
}


def upgrade() -> None:
    for table, (key, uniques, others) in SHELVES.items():
        op.create_table(
            table,
            sa.Column(key, PLAIN, primary_key=True),
            *(sa.Column(name, PLAIN, nullable=False) for name in (*uniques, *others)),
            sa.Column("revision", NUMBER, nullable=False),
            sa.Column("body", sa.Text, nullable=False),
        )
        for name in uniques:
            op.create_index(f"{table}_by_{name}", table, [name], unique=True)
        for name in others:
            op.create_index(f"{table}_by_{name}", table, [name, key])
    _audit()
    _feed()


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("id", PLAIN, nullable=False),
        sa.Column("time_us", NUMBER, nullable=False),
        sa.Column("highest_us", NUMBER, nullable=False),
        *(
            sa.Column(name, PLAIN, nullable=False)
            for name in ("type", "code", "user", "node", "session_id", "request_id")
        ),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("audit_by_id", "audit", ["id"], unique=True)
    for name, columns in AUDIT_INDEXES.items():
        op.create_index(name, "audit", columns)
    op.create_table(
        "signed_heads",
        sa.Column("seq", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("key_id", PLAIN, primary_key=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("time_us", NUMBER, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
    )


def _feed() -> None:
    op.create_table(
        "changes",
        sa.Column("revision", NUMBER, primary_key=True, autoincrement=False),
        *(sa.Column(name, PLAIN, nullable=False) for name in ("kind", "key", "op")),
        sa.Column("time_us", NUMBER, nullable=False),
    )
    head = op.create_table(
        "chain_head",
        sa.Column(
            "id", sa.Integer, sa.CheckConstraint("id = 1", name="chain_head_is_one_row"), primary_key=True
        ),
        sa.Column("seq", NUMBER, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("time_us", NUMBER, nullable=False),
        sa.Column("highest_us", NUMBER, nullable=False),
        sa.Column("widest_lag_us", NUMBER, nullable=False),
        sa.Column("feed", NUMBER, nullable=False),
    )
    start = {"seq": 0, "hash": bytes(32), "time_us": 0, "highest_us": 0, "widest_lag_us": 0, "feed": 0}
    op.bulk_insert(head, [{"id": 1, **start}])
