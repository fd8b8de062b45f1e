"""Brings a database to the present version, whole or not at all; one from the future is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from mezite.errors import Conflict

_STEPS: Final = Path(__file__).with_name("migrations")


def upgrade(connection: Connection, place: str) -> None:
    """Runs the missing steps in the connection's transaction. `place` is how messages call the database."""
    config = Config()
    config.set_main_option("script_location", str(_STEPS).replace("%", "%%"))
    config.attributes["connection"] = connection
    steps = ScriptDirectory.from_config(config)
    present = MigrationContext.configure(connection).get_current_heads()
    if present == tuple(steps.get_heads()):
        return
    known = {step.revision for step in steps.walk_revisions()}
    if foreign := sorted(set(present) - known):
        raise Conflict(
            f"{place} was written by a newer Mezite (schema {', '.join(foreign)}); "
            "start that version, or restore a backup",
            code="data_is_newer",
        )
    command.upgrade(config, "head")
