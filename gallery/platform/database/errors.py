"""Turns what the driver says into the gallery's own terms.

Three things are translated: a database that is gone, full or too slow; transactions that collided; and constraints that
only what others do at the same moment can break. A failure that is nobody's fault but ours passes unchanged.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError, EmulatedDBAPIException
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError

from gallery.domain.errors import ConflictError, ErrorCode, GalleryError, NotFoundError, UnavailableError
from gallery.domain.events import EntityKind

_GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InsufficientResourcesError,
    asyncpg.QueryCanceledError,
    asyncpg.InternalClientError,  # a query that met the server's shutdown half-way
    asyncpg.ReadOnlySQLTransactionError,
    OSError,  # nobody listens there; includes the driver's own TimeoutError
    NoConnectionFreeError,
)
_COLLIDED = (asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError, asyncpg.SerializationError)

_EXISTING: Final = {
    "uq_images_owner_checksum": "There is an image of the same bytes already.",
    "uq_album_images_album_id_position": "Somebody else added images to the album at the same moment. Try again.",
}
"""Unique constraints that a concurrent transaction can make a sound change break."""

_DELETED: Final = {
    "fk_renditions_image_id": EntityKind.IMAGE,
    "fk_image_tags_image_id": EntityKind.IMAGE,
    "fk_image_tags_tag_id": EntityKind.TAG,
    "fk_album_images_album_id": EntityKind.ALBUM,
    "fk_album_images_image_id": EntityKind.IMAGE,
    "fk_albums_cover_id": EntityKind.IMAGE,
    "fk_album_shares_album_id": EntityKind.ALBUM,
    "fk_album_shares_account_id": EntityKind.ACCOUNT,
    "fk_share_links_album_id": EntityKind.ALBUM,
    "fk_share_links_image_id": EntityKind.IMAGE,
}
"""What a foreign key misses."""


def translated(error: BaseException) -> GalleryError | None:
    """What the error means to a caller, or None if it means nothing to them."""
    cause = _cause(error)
    if isinstance(cause, asyncpg.IntegrityConstraintViolationError):
        return _broken(cause.constraint_name or "")
    if isinstance(cause, _COLLIDED):
        message = "Somebody else changed the same thing at the same moment. Try again."
        return ConflictError(ErrorCode.VERSION_CONFLICT, message)
    if isinstance(cause, _GONE) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return UnavailableError("database")
    if isinstance(cause, asyncpg.InterfaceError) and "closed" in str(cause):
        return UnavailableError("database")
    return None


class _TranslatedErrors:
    """A context that remembers nothing: one serves all, and costs less than a generator for each statement."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and (told := translated(error)) is not None:
            raise told from error


_TRANSLATED_ERRORS: Final = _TranslatedErrors()


def translated_errors() -> AbstractContextManager[None]:
    """Raises UnavailableError, ConflictError or NotFoundError in place of the driver's errors of that meaning."""
    return _TRANSLATED_ERRORS


def _cause(error: BaseException) -> BaseException:
    """What the driver said. Calls past the engine raise what SQLAlchemy makes of it, without a DBAPIError around."""
    said: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(said, EmulatedDBAPIException):
        said = said.orig
    return error if said is None else said


def _broken(constraint: str) -> GalleryError | None:
    if constraint in _EXISTING:
        return ConflictError(ErrorCode.VERSION_CONFLICT, _EXISTING[constraint])
    return NotFoundError.of(_DELETED[constraint]) if constraint in _DELETED else None
