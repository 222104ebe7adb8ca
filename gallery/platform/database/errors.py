"""Turns what the driver says about a database that is gone, full or too slow into the gallery's own terms.

A failure that is nobody's fault but ours (a syntax error, a broken constraint) passes unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError

from gallery.domain.errors import ConflictError, ErrorCode, GalleryError, UnavailableError

_GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InsufficientResourcesError,
    asyncpg.QueryCanceledError,
    asyncpg.ReadOnlySQLTransactionError,
    OSError,  # nobody listens there; includes the driver's own TimeoutError
    NoConnectionFreeError,
)
_COLLIDED = (asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError, asyncpg.SerializationError)


def translated(error: BaseException) -> GalleryError | None:
    """What the error means to a caller, or None if it means nothing to them."""
    cause = error.driver_exception if isinstance(error, DBAPIError) else error
    if isinstance(cause, _COLLIDED):
        message = "Somebody else changed the same thing at the same moment. Try again."
        return ConflictError(ErrorCode.VERSION_CONFLICT, message)
    if isinstance(cause, _GONE) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return UnavailableError("database")
    if isinstance(cause, asyncpg.InterfaceError) and "closed" in str(cause):
        return UnavailableError("database")
    return None


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raises UnavailableError or ConflictError in place of the driver's errors of that meaning."""
    try:
        yield
    except Exception as error:
        if (told := translated(error)) is not None:
            raise told from error
        raise
