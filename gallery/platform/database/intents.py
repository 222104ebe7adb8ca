"""Intents of uploads in PostgreSQL, each stored in a single trip that does not wait for the disk."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.uploads import Upload
from gallery.platform.database.engine import single_statements
from gallery.platform.database.errors import translated_errors
from gallery.platform.database.rows import UPLOAD_COLUMNS, upload_values
from gallery.platform.database.tables import UPLOADS

_LOCALLY: Final = True
_UNHURRIED: Final = select(func.set_config("synchronous_commit", "off", _LOCALLY)).cte("unhurried")
_ADD: Final = insert(UPLOADS).from_select(
    [column.name for column in UPLOAD_COLUMNS],
    select(*(bindparam(column.name, type_=column.type) for column in UPLOAD_COLUMNS)).select_from(_UNHURRIED),
)


class SqlIntentStore:
    """As the port says."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = single_statements(engine)

    async def add(self, upload: Upload) -> None:
        """As the port says."""
        with translated_errors():
            async with self._engine.connect() as connection:
                await connection.execute(_ADD, upload_values(upload))
