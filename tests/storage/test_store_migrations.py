"""Migrations: they make exactly the tables, on both engines; whole or not at all; never backwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from mezite.errors import Conflict
from mezite.storage.datadir import DATABASE
from mezite.storage.migrate import upgrade
from mezite.storage.postgres import open_postgres
from mezite.storage.postgres_url import parse
from mezite.storage.sqlite import _with_real_transactions, migrated, open_sqlite
from mezite.storage.tables import METADATA
from tests.support.clock import FakeClock
from tests.support.postgres import Cluster
from tests.support.stores import creation


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    return list(compare_metadata(context, METADATA))


def shape(connection: Connection) -> dict[str, Any]:
    """What the comparison above does not look at: columns of indexes and their order, keys, nulls."""
    looked = inspect(connection)
    return {
        table: (
            sorted(
                (i["name"], tuple(i["column_names"]), bool(i["unique"])) for i in looked.get_indexes(table)
            ),
            looked.get_pk_constraint(table)["constrained_columns"],
            sorted((column["name"], column["nullable"]) for column in looked.get_columns(table)),
        )
        for table in sorted(METADATA.tables)
    }


def test_on_sqlite_they_make_the_tables(tmp_path: Path) -> None:
    migrated(tmp_path / DATABASE, "here")
    by_steps, at_once = create_engine(f"sqlite:///{tmp_path / DATABASE}"), create_engine("sqlite://")
    with by_steps.connect() as connection, at_once.connect() as other:
        assert differences(connection) == []
        METADATA.create_all(other)
        assert shape(connection) == shape(other)


async def test_on_postgres_they_make_the_tables(postgres: Cluster) -> None:
    migrated_db, plain_db = await postgres.fresh_database(), await postgres.empty_database()
    shapes = []
    for database in (migrated_db, plain_db):
        engine = create_async_engine(parse(postgres.url(database)).url)
        async with engine.begin() as connection:
            if database == plain_db:
                await connection.run_sync(METADATA.create_all)
            assert await connection.run_sync(differences) == [] or database == plain_db
            collations = await connection.execute(
                text(
                    "SELECT table_name, column_name, collation_name FROM information_schema.columns"
                    " WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, 2"
                )
            )
            shapes.append((await connection.run_sync(shape), collations.all()))
        await engine.dispose()
    assert shapes[0] == shapes[1]


def test_a_step_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(_c: Any, _k: Any, statement: str, *_rest: Any) -> None:
        if "CREATE TABLE changes" in statement:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        migrated_with(tmp_path / DATABASE, fail)
    engine = create_engine(f"sqlite:///{tmp_path / DATABASE}")
    assert inspect(engine).get_table_names() == []
    migrated(tmp_path / DATABASE, "here")
    assert "changes" in inspect(create_engine(f"sqlite:///{tmp_path / DATABASE}")).get_table_names()


def migrated_with(database: Path, before_each: Any) -> None:
    engine = create_engine(f"sqlite:///{database}")
    _with_real_transactions(engine)
    event.listen(engine, "before_cursor_execute", before_each)
    with engine.begin() as connection:
        upgrade(connection, "here")


async def test_newer_data_is_not_opened(data_dir: Path, clock: FakeClock) -> None:
    async with open_sqlite(data_dir, clock) as store:
        await store.write(creation(1))
    engine = create_engine(f"sqlite:///{data_dir / DATABASE}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9001'"))
    before = (data_dir / DATABASE).read_bytes()
    with pytest.raises(Conflict, match=r"newer Mezite \(schema 9001\)") as told:
        async with open_sqlite(data_dir, clock):
            raise AssertionError("opened")
    assert told.value.code == "data_is_newer"
    assert str(data_dir) in str(told.value)
    assert (data_dir / DATABASE).read_bytes() == before


async def test_newer_data_is_not_opened_on_postgres(postgres: Cluster, clock: FakeClock) -> None:
    database = await postgres.fresh_database()
    await postgres.execute("UPDATE alembic_version SET version_num = '9001'", database)
    with pytest.raises(Conflict, match="newer Mezite"):
        async with open_postgres(postgres.url(database), clock):
            raise AssertionError("opened")
