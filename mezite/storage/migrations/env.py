"""What Alembic runs to migrate. Connection and transaction belong to the caller (`storage.migrate`)."""

from __future__ import annotations

from alembic import context

from mezite.storage.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # A killed migration leaves the old version whole, on SQLite too, whose DDL obeys transactions if asked.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
