"""Connections to PostgreSQL: where it is, how many there are, how long they may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
import orjson
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from gallery.platform.database.errors import translated_errors
from gallery.platform.database.loans import LendingPool, lending_pool
from gallery.settings import DatabaseSettings

_APPLICATION_NAME = "gallery"
_CONNECT_TIMEOUT_SECONDS = 5.0
_MAX_CONNECTION_AGE_SECONDS = 1800
_NETWORK_MARGIN_SECONDS = 5.0
"""How much later than the server the client gives up on a statement: it does so only if the network is dead."""

_OF_LIBPQ_ALONE: Final = frozenset(
    {
        "connect_timeout",
        "fallback_application_name",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "sslcompression",
        "sslsni",
        "tcp_user_timeout",
    }
)
"""Parameters that tune libpq and mean nothing to asyncpg; dropped. (PostgreSQL 18, section 32.1.2.)"""

_OF_SQLALCHEMY: Final = frozenset({"prepared_statement_cache_size", "async_fallback"})


class DatabaseUrlError(ValueError):
    """The address of the database asks for something that cannot be had; the message says what."""


def driver_dsn(url: str) -> str:
    """The address as asyncpg reads it: `postgresql://…` with the parameters of libpq that it knows.

    Takes what people paste: `postgres://`, `postgresql://` and `postgresql+asyncpg://`, several hosts, the folder of
    a Unix socket as `?host=/folder`, `?sslmode=require` and the like.

    Raises:
        DatabaseUrlError: if it is no such address, or asks for protection that asyncpg does not give.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"postgres", "postgresql", "postgresql+asyncpg"}:
        message = "The database URL must begin with postgresql://."
        raise DatabaseUrlError(message)
    parts = urlsplit(f"postgresql://{rest}")
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parameters.pop("channel_binding", "prefer") == "require":
        message = (
            "The database URL asks for channel_binding=require, which asyncpg does not know. "
            "Leave it out, and use sslmode=verify-full to make sure of the server."
        )
        raise DatabaseUrlError(message)
    kept = {name: value for name, value in parameters.items() if name not in _OF_LIBPQ_ALONE | _OF_SQLALCHEMY}
    if "ssl" in kept:  # asyncpg's own spelling, which SQLAlchemy's users know
        kept.setdefault("sslmode", kept.pop("ssl"))
    return parts._replace(query=urlencode(kept)).geturl()


def create_engine(url: str, settings: DatabaseSettings) -> AsyncEngine:
    """A pool of connections to the database at `url`; none is opened before it is needed.

    Raises:
        DatabaseUrlError: as `driver_dsn`.
    """
    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args={
            "dsn": driver_dsn(url),
            "timeout": _CONNECT_TIMEOUT_SECONDS,
            "command_timeout": settings.statement_timeout_seconds + _NETWORK_MARGIN_SECONDS,
            "server_settings": {
                "application_name": _APPLICATION_NAME,
                "statement_timeout": f"{settings.statement_timeout_seconds:.3f}s",
                "idle_in_transaction_session_timeout": "60s",
                "timezone": "UTC",
                "jit": "off",  # costs more than it saves on statements of a few milliseconds
                "random_page_cost": "1.1",  # indexes are in memory, or on a disk without a head to move
            },
        },
        poolclass=LendingPool,
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.pool_timeout_seconds,
        pool_recycle=_MAX_CONNECTION_AGE_SECONDS,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        hide_parameters=True,  # errors are logged, what people wrote is not
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed_connections)
    return engine


async def ping(engine: AsyncEngine) -> None:
    """Passes if the database answers.

    Raises:
        UnavailableError: if not.
    """
    with translated_errors():
        async with engine.connect() as connection:
            await connection.exec_driver_sql("SELECT 1")


async def connection_limit(engine: AsyncEngine) -> int:
    """How many connections the server takes from ordinary users, all of its clients together.

    Raises:
        UnavailableError: if it does not answer.
    """
    reserved = ("superuser_reserved_connections", "reserved_connections")  # the second came with PostgreSQL 16
    with translated_errors():
        async with engine.connect() as connection:
            kept = " - ".join(f"coalesce(current_setting('{name}', true)::int, 0)" for name in reserved)
            answer = await connection.exec_driver_sql(f"SELECT current_setting('max_connections')::int - {kept}")
            return int(answer.scalar_one())


def single_statements(engine: AsyncEngine) -> AsyncEngine:
    """The same pool for statements that stand alone, without BEGIN and COMMIT around each."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


async def driver_connection(connection: AsyncConnection) -> asyncpg.Connection[asyncpg.Record]:
    """The connection of asyncpg below one of SQLAlchemy, in the same transaction."""
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    if not isinstance(driver, asyncpg.Connection):
        message = "The connection is closed."
        raise TypeError(message)
    if connection.in_transaction() and not driver.is_in_transaction():
        await connection.exec_driver_sql("SELECT 1")  # SQLAlchemy sends BEGIN no earlier than the first statement
    return driver


def _refuse_closed_connections(dbapi_connection: DBAPIConnection, _record: ConnectionPoolEntry, _proxy: object) -> None:
    """Replaces the pool's connections after a restart of the database, without asking the server on each use."""
    if dbapi_connection.driver_connection.is_closed():
        raise InvalidatePoolError


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUse:
    """The connections of a pool at present. `size` is how many there may be."""

    size: int
    in_use: int
    idle: int


def pool_use(engine: AsyncEngine) -> PoolUse:
    """What the pool of the engine says of its connections, without asking the database."""
    pool = lending_pool(engine)
    on_loan = len(pool.idle)
    return PoolUse(size=pool.size(), in_use=pool.checkedout() - on_loan, idle=pool.checkedin() + on_loan)
