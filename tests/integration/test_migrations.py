"""Migrations: there and back, and that they make what the code expects."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from gallery.platform.database.engine import create_engine, driver_dsn
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
    "album_shares",
    "events",
    "uploads",
    "idempotency_keys",
    "idempotent_answers",
    "storage_reports",
    "accounts",
    "api_tokens",
    "passwords",
    "sessions",
    "share_links",
}

AN_OLD_IMAGE = """
INSERT INTO images (
    id, owner, filename, original_filename, content_type, file_size_bytes, storage_path, checksum, width_px, height_px,
    title, processing, uploaded_at, created_at, updated_at, version
) VALUES (
    $1, '00000000-0000-7000-8000-0000000000aa', 'a.jpg', 'a.jpg', 'image/jpeg', 1, 'a.jpg', 'checksum', 1, 1,
    'A', 'READY', now(), now(), now(), 1
)
"""
"""As the first version stored it: always the same bytes of the same owner."""


AN_OLD_ALBUM = """
INSERT INTO albums (id, owner, title, created_at, updated_at, version)
VALUES ($1, '00000000-0000-7000-8000-0000000000aa', 'A', now(), now(), 1)
"""
AN_OLD_PLACE = """
INSERT INTO album_images (album_id, image_id, position) VALUES ($1, '00000000-0000-7000-8000-000000000001', 1)
"""


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


async def test_images_that_an_older_version_stored_are_no_copies(empty_database_url: str) -> None:
    await upgrade(empty_database_url, "0002")
    connection = await asyncpg.connect(driver_dsn(empty_database_url))
    try:
        await connection.execute(AN_OLD_IMAGE, "00000000-0000-7000-8000-000000000001")
        await upgrade(empty_database_url)
        assert await connection.fetchval("SELECT is_copy FROM images") is False
        with pytest.raises(asyncpg.UniqueViolationError) as refusal:  # as the older version still runs
            await connection.execute(AN_OLD_IMAGE, "00000000-0000-7000-8000-000000000002")
        assert refusal.value.constraint_name == "uq_images_owner_checksum"
    finally:
        await connection.close()


async def test_a_migration_that_was_cut_off_is_run_again(empty_database_url: str) -> None:
    await upgrade(empty_database_url, "0003")
    connection = await asyncpg.connect(driver_dsn(empty_database_url))
    try:
        await connection.execute("CREATE INDEX uq_images_owner_checksum_new ON images (title)")
        await connection.execute("CREATE INDEX ix_renditions_storage_path ON renditions (checksum)")
        await connection.execute("DROP INDEX uq_images_owner_checksum")
    finally:
        await connection.close()

    await upgrade(empty_database_url)

    engine = create_engine(empty_database_url, DatabaseSettings())
    try:
        async with engine.connect() as connected:
            assert await connected.run_sync(differences) == []
    finally:
        await engine.dispose()


async def test_albums_of_an_older_version_know_when_their_images_were_uploaded(empty_database_url: str) -> None:
    await upgrade(empty_database_url, "0008")
    connection = await asyncpg.connect(driver_dsn(empty_database_url))
    try:
        await connection.execute(AN_OLD_IMAGE, "00000000-0000-7000-8000-000000000001")
        for number in (1, 2):
            await connection.execute(AN_OLD_ALBUM, f"00000000-0000-7000-8000-00000000000{number}")
        await connection.execute(AN_OLD_PLACE, "00000000-0000-7000-8000-000000000001")
        await upgrade(empty_database_url)
        await connection.execute(
            AN_OLD_PLACE, "00000000-0000-7000-8000-000000000002"
        )  # as the older version still runs
        places = await connection.fetch("SELECT uploaded_at FROM album_images")
        uploaded_at = await connection.fetchval("SELECT uploaded_at FROM images")
    finally:
        await connection.close()
    assert [place["uploaded_at"] for place in places] == [uploaded_at] * 2


async def test_copies_are_not_migrated_down(empty_database_url: str) -> None:
    await upgrade(empty_database_url)
    connection = await asyncpg.connect(driver_dsn(empty_database_url))
    try:
        await connection.execute(AN_OLD_IMAGE, "00000000-0000-7000-8000-000000000001")
        await connection.execute("UPDATE images SET is_copy = true")
        with pytest.raises(DBAPIError, match="Delete the copies first"):
            await downgrade(empty_database_url, "0002")
        assert await connection.fetchval("SELECT version_num FROM alembic_version") == "0004"
        await connection.execute("UPDATE images SET deleted_at = now()")
        await downgrade(empty_database_url, "0002")
        assert await connection.fetchval("SELECT count(*) FROM images") == 1
    finally:
        await connection.close()
