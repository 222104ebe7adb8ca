"""What is wrong with the database, in sentences for the person who runs the gallery."""

from __future__ import annotations

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.errors import UnavailableError
from gallery.platform.database.engine import ping
from gallery.platform.database.migrate import current_revision, head_revision, is_current


async def diagnose(engine: AsyncEngine, where: str) -> str | None:
    """What keeps the gallery from working with the database, and what to do about it; None if nothing does.

    `where` is its address as people may see it.

    Raises:
        UnavailableError: if it goes away meanwhile.
    """
    try:
        await ping(engine)
    except UnavailableError as error:
        return f"PostgreSQL at {where} does not answer ({_reason(error)}). Start it, or correct GALLERY_DATABASE__URL."
    except Exception as error:  # noqa: BLE001  # whatever the driver says is the answer
        return f"PostgreSQL at {where} {_refusal(error)}."
    if await is_current(engine):
        return None
    return (
        f"The database at {where} is at revision {await current_revision(engine) or 'none'}, this version of the "
        f"gallery needs {head_revision()}. Run `gallery migrate`."
    )


def _refusal(error: Exception) -> str:
    match _driver_error(error):
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"refuses the user or the password in GALLERY_DATABASE__URL ({_reason(error)})"
        case asyncpg.InvalidCatalogNameError():
            return f"has no such database ({_reason(error)}). Create it, or correct GALLERY_DATABASE__URL"
        case _:
            return f"answers with an error: {_reason(error)}"


def _driver_error(error: BaseException) -> BaseException:
    """What the driver raised, below what SQLAlchemy made of it."""
    while (cause := error.__cause__ or getattr(error, "orig", None)) is not None:
        error = cause
    return error


def _reason(error: BaseException) -> str:
    cause = _driver_error(error)
    return str(cause) or type(cause).__name__
