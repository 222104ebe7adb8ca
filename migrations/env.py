"""Runs migrations on the connection that `gallery.platform.database.migrate` hands over, or prints them as SQL.

Started by Alembic's own command line, it connects to GALLERY_DATABASE__URL.
"""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection

from gallery.platform.database.migrate import connected
from gallery.platform.database.tables import metadata
from gallery.settings import DatabaseSettings, Settings

_OF_PGQUEUER = "pgqueuer"


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a table is one of ours, for comparisons; PgQueuer's are its own affair."""
    return not (kind == "table" and name is not None and name.startswith(_OF_PGQUEUER))


def run(connection: Connection | None) -> None:
    """Runs the migrations that Alembic was asked for, each in a transaction of its own.

    A migration that waits for a lock would make everybody behind it wait too, so it gives up soon instead.
    """
    context.configure(
        connection=connection,
        dialect_name="postgresql",
        target_metadata=metadata,
        include_name=include_name,
        transaction_per_migration=True,
        literal_binds=connection is None,
    )
    context.execute("SET lock_timeout = '5s'")
    context.execute("SET statement_timeout = '10min'")
    if connection is not None:
        connection.commit()
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_run(settings: DatabaseSettings) -> None:
    """Runs the migrations on the database of the settings."""
    if settings.url is None:
        message = "Set GALLERY_DATABASE__URL, or run `gallery migrate` for the embedded database."
        raise SystemExit(message)
    async with connected(settings.url.get_secret_value()) as connection:
        await connection.run_sync(run)


if context.is_offline_mode():
    run(None)
elif (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    asyncio.run(connect_and_run(Settings().database))
