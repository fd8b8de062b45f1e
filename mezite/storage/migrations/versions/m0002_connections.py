"""Users' connections to nodes, and how far each node's reports are written down."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PLAIN = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# table: (key, other columns)
SHELVES: dict[str, tuple[str, tuple[str, ...]]] = {
    "connections": ("id", ("node_id", "user_id", "hub_id")),
    "report_marks": ("node_id", ()),
}


def upgrade() -> None:
    for table, (key, others) in SHELVES.items():
        op.create_table(
            table,
            sa.Column(key, PLAIN, primary_key=True),
            *(sa.Column(name, PLAIN, nullable=False) for name in others),
            sa.Column("revision", NUMBER, nullable=False),
            sa.Column("body", sa.Text, nullable=False),
        )
        for name in others:
            op.create_index(f"{table}_by_{name}", table, [name, key])
