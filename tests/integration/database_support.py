"""The database adapter over a database of its own, for tests of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gallery.domain.albums import Album
from gallery.domain.events import Event
from gallery.domain.images import Image
from gallery.domain.jobs import Job
from gallery.domain.ports import UnitOfWorkFactory
from gallery.platform.database.engine import create_engine, driver_connection
from gallery.platform.database.unit_of_work import sql_units_of_work
from gallery.settings import DatabaseSettings
from tests.entities import a_tag


class JobNotes:
    """A job queue that keeps notes in a table, on the driver's own connection as the real one does."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def enqueue(self, *jobs: Job) -> None:
        driver = await driver_connection(self._connection)
        await driver.execute("CREATE TABLE IF NOT EXISTS job_notes (note text)")
        await driver.executemany("INSERT INTO job_notes VALUES ($1)", [(repr(job),) for job in jobs])


class Database:
    """The adapter over one database, with the events that its listener was told of, one tuple a commit."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.told: list[Sequence[Event]] = []
        self.work: UnitOfWorkFactory = sql_units_of_work(engine, jobs=JobNotes, on_commit=self._listen)

    async def _listen(self, events: Sequence[Event]) -> None:
        self.told.append(events)

    async def store(
        self,
        *images: Image,
        tags: Mapping[str, Sequence[Image]] | None = None,
        albums: Mapping[Album, Sequence[Image]] | None = None,
    ) -> None:
        """Stores images, tags by name with the images that have them, and albums with what they hold."""
        async with self.work() as work:
            for image in images:
                await work.images.add(image)
            for name, tagged in (tags or {}).items():
                stored = await work.tags.add_missing([a_tag(name)])
                await work.tags.attach([image.id for image in tagged], [tag.id for tag in stored.values()])
            for album, held in (albums or {}).items():
                await work.albums.add(album)
                await work.albums.append(album.id, [image.id for image in held], offered_by=[album.owner])
            await work.commit()

    async def value(self, statement: str) -> Any:  # noqa: ANN401  # whatever the statement asks for
        """The first value that a statement answers, for looking behind the adapter."""
        async with self.engine.begin() as connection:
            return (await connection.exec_driver_sql(statement)).scalar()


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    engine = create_engine(url, DatabaseSettings(pool_size=4))
    try:
        yield Database(engine)
    finally:
        await engine.dispose()
