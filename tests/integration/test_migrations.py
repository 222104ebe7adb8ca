"""Migrations: there and back, and that they make what the code expects."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from gallery.platform.database.engine import create_engine
from gallery.platform.database.migrate import current_revision, downgrade, head_revision, is_current, upgrade
from gallery.platform.database.tables import metadata
from gallery.settings import DatabaseSettings

ROOT = Path(__file__).parents[2]
TABLES = {
    "images",
    "renditions",
    "tags",
    "image_tags",
    "albums",
    "album_images",
    "events",
    "uploads",
    "idempotency_keys",
    "idempotent_answers",
}


def table_names(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def differences(connection: Connection) -> list[object]:
    """What migrations would have to change to make the tables that the code expects."""
    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "compare_server_default": True,
            "include_name": lambda name, kind, _parents: kind != "table" or name in TABLES,
        },
    )
    return list(compare_metadata(context, metadata))


async def test_migrating_up_down_and_up_again_leaves_nothing_behind_on_the_way(empty_database_url: str) -> None:
    engine = create_engine(empty_database_url, DatabaseSettings())
    try:
        assert not await is_current(engine)
        await upgrade(empty_database_url)
        async with engine.connect() as connection:
            assert await connection.run_sync(table_names) >= TABLES
        await downgrade(empty_database_url, "base")
        async with engine.connect() as connection:
            assert await connection.run_sync(table_names) == {"alembic_version"}
        assert await current_revision(engine) is None
        await upgrade(empty_database_url)
        assert await current_revision(engine) == head_revision()
        assert await is_current(engine)
    finally:
        await engine.dispose()


async def test_migrations_make_the_tables_that_the_code_expects(database_url: str) -> None:
    engine = create_engine(database_url, DatabaseSettings())
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
    finally:
        await engine.dispose()


async def test_several_migrations_at_once_wait_for_each_other(empty_database_url: str) -> None:
    await asyncio.gather(*(upgrade(empty_database_url) for _ in range(3)))
    engine = create_engine(empty_database_url, DatabaseSettings())
    try:
        assert await is_current(engine)
    finally:
        await engine.dispose()


def test_the_linter_of_migrations_finds_nothing() -> None:
    done = subprocess.run([ROOT / "tools" / "lint-migrations"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
