"""Brings the tables of a database to what this version of the gallery needs, and tells whether they are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

import gallery
from gallery.platform.database.engine import driver_dsn
from gallery.platform.database.errors import translated_errors

_ADVISORY_LOCK = 7_236_841_905_114_372
"""Any number, as long as every version of the gallery takes the same one."""

_LOCK_RETRY_SECONDS = 0.1

log = logging.getLogger(__name__)


class MigrationError(Exception):
    """The database does not let itself be migrated; the message says what to do."""


class NotMigratedError(Exception):
    """The database is older than this version of the gallery."""

    def __init__(self) -> None:
        super().__init__("The database is not up to date. Run `gallery migrate`, then start the gallery again.")


async def upgrade(url: str, revision: str = "head") -> None:
    """Migrates the database up. Of several that start at once, one does the work and the others wait for it.

    A database that a newer version of the gallery has migrated is left as it is.

    Raises:
        MigrationError: if the role at hand may not do what is needed.
        UnavailableError: if the database does not answer.
    """
    await _run(url, lambda config: command.upgrade(config, revision))


async def downgrade(url: str, revision: str) -> None:
    """Migrates the database down to a revision; "base" removes everything, the images' rows too.

    Raises:
        MigrationError: as `upgrade`.
        UnavailableError: as `upgrade`.
    """
    await _run(url, lambda config: command.downgrade(config, revision))


async def current_revision(engine: AsyncEngine) -> str | None:
    """The last migration that the database has seen, None for an empty one.

    Raises:
        UnavailableError: if the database does not answer.
    """
    with translated_errors():
        async with engine.connect() as connection:
            return await connection.run_sync(_revision_of)


async def is_current(engine: AsyncEngine) -> bool:
    """Whether the tables are what this version of the gallery needs, or what a newer one made of them.

    Raises:
        UnavailableError: if the database does not answer.
    """
    revision = await current_revision(engine)
    return revision is not None and (revision == head_revision() or not _is_known(revision))


@cache
def head_revision() -> str:
    """The newest migration of this version of the gallery."""
    head = _scripts().get_current_head()
    if head is None:
        message = "The migrations are missing from this installation of the gallery."
        raise MigrationError(message)
    return head


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncConnection]:
    """A connection on which no other process migrates at the same time."""
    engine = create_async_engine("postgresql+asyncpg://", connect_args={"dsn": driver_dsn(url)}, poolclass=NullPool)
    async with engine.connect() as connection:
        while not await _locked(connection):  # noqa: ASYNC110 - PostgreSQL tells nobody that a lock is free
            await asyncio.sleep(_LOCK_RETRY_SECONDS)
        yield connection  # the lock ends with the connection


async def _locked(connection: AsyncConnection) -> bool:
    """Whether this connection has the lock now.

    It does not wait for it in the server: an index that is built concurrently waits for every other transaction, that
    of such a wait included, so that both would wait for each other.
    """
    had = await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_LOCK})
    await connection.commit()
    return bool(had)


async def _run(url: str, migrate: Callable[[Config], None]) -> None:
    def run(connection: Connection) -> None:
        revision = _revision_of(connection)
        connection.rollback()
        if revision is not None and not _is_known(revision):
            log.warning("the database is at revision %s of a newer gallery; it is left as it is", revision)
            return
        config = _config()
        config.attributes["connection"] = connection
        migrate(config)

    with translated_errors():
        try:
            async with connected(url) as connection:
                await connection.run_sync(run)
        except DBAPIError as error:
            if (explained := _explained(error)) is not None:
                raise explained from error
            raise


def _explained(error: DBAPIError) -> MigrationError | None:
    cause = error.driver_exception
    if isinstance(cause, asyncpg.InsufficientPrivilegeError):
        return MigrationError(
            f"The database role may not do what the migration needs ({cause}). Let an administrator of the database "
            "run `CREATE EXTENSION pg_trgm` in it and make the role its owner, then start again."
        )
    if isinstance(cause, asyncpg.FeatureNotSupportedError | asyncpg.UndefinedFileError):
        return MigrationError(
            f"The database server lacks something that the migration needs ({cause}). "
            "Install PostgreSQL's contrib package, which brings pg_trgm, on the server, then start again."
        )
    return None


def _revision_of(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_known(revision: str) -> bool:
    return any(script.revision == revision for script in _scripts().walk_revisions())


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    """Built here rather than read from alembic.ini, which an installed gallery does not have."""
    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _folder() -> Path:
    package = Path(gallery.__file__).parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "migrations"
