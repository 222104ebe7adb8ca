"""What it costs to read 50 images, by the layers that may lie between PostgreSQL and an entity.

Run it with `.venv/bin/python -m benchmarks.database_reads`; it starts a PostgreSQL of its own, fills it with 10,000
images, and prints the median of many rounds in which all ways take turns. No way uses a cache of results.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
from sqlalchemy import Executable, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from gallery.domain.access import LOCAL_ADMINISTRATOR
from gallery.domain.ids import new_image_id
from gallery.domain.images import ContentType, Image, ProcessingState
from gallery.domain.pages import ImageQuery, PageRequest
from gallery.domain.records import Fields
from gallery.platform.database.engine import create_engine, driver_dsn, single_statements
from gallery.platform.database.image_lists import LIVING
from gallery.platform.database.images import SqlImageReader
from gallery.platform.database.migrate import upgrade
from gallery.platform.database.rows import IMAGE_COLUMNS, image_from_row, image_values
from gallery.platform.database.selecting import SelectingRecords
from gallery.platform.database.tables import IMAGES, ImageRow
from gallery.platform.embedded import EmbeddedServers, Service
from gallery.settings import DatabaseSettings

IMAGE_COUNT = 10_000
PAGE_SIZE = 50
ROUNDS = 400
NOTHING: frozenset[str] = frozenset()
SHOWN = frozenset(
    {
        "filename",
        "original_filename",
        "content_type",
        "file_size_bytes",
        "width_px",
        "height_px",
        "title",
        "description",
        "uploaded_at",
    }
)
"""What the query of `nested` looks at; ids are always read."""

CORE: Executable = (
    select(*IMAGE_COLUMNS).where(LIVING).order_by(IMAGES.c.uploaded_at.desc(), IMAGES.c.id.desc()).limit(PAGE_SIZE)
)
ORM = select(ImageRow).where(LIVING).order_by(IMAGES.c.uploaded_at.desc(), IMAGES.c.id.desc()).limit(PAGE_SIZE)
SQL = (
    f"SELECT {', '.join(column.name for column in IMAGE_COLUMNS)} FROM images "  # noqa: S608 - our own columns
    f"WHERE deleted_at IS NULL ORDER BY uploaded_at DESC, id DESC LIMIT {PAGE_SIZE}"
)


def image(number: int) -> Image:
    """An image like those of a camera."""
    image_id = new_image_id()
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    return Image(
        id=image_id,
        owner=LOCAL_ADMINISTRATOR.id,
        filename=f"{image_id}.jpg",
        original_filename=f"IMG_{number}.JPG",
        content_type=ContentType.JPEG,
        file_size_bytes=3_000_000 + number,
        storage_path=f"images/2026/01/{image_id}.jpg",
        checksum=sha256(image_id.bytes).hexdigest(),
        width_px=6000,
        height_px=4000,
        title=f"Harbour {number}",
        description="The boats before the storm.",
        processing=ProcessingState.READY,
        processing_error=None,
        uploaded_at=moment,
        created_at=moment,
        updated_at=moment,
    )


def entity_of(row: ImageRow) -> Image:
    """The entity that an object of a session stands for."""
    values = {column.name: getattr(row, column.name) for column in IMAGE_COLUMNS}
    values["content_type"] = ContentType(values["content_type"])
    values["processing"] = ProcessingState(values["processing"])
    return Image(**values)


def ways(engine: AsyncEngine, driver: asyncpg.Connection[asyncpg.Record]) -> dict[str, Callable[[], Awaitable[Any]]]:
    """The ways to read a page, by their names."""
    alone, reader = single_statements(engine), SqlImageReader(engine)
    records = SelectingRecords(engine)(Fields(images=SHOWN, renditions=NOTHING, tags=NOTHING, albums=NOTHING)).images
    query = ImageQuery(page=PageRequest(limit=PAGE_SIZE))

    async def core(*, entities: bool) -> object:
        async with alone.connect() as connection:
            rows = (await connection.execute(CORE)).all()
        return [image_from_row(row) for row in rows] if entities else rows

    async def orm(*, entities: bool) -> object:
        async with AsyncSession(alone) as session:
            rows = (await session.scalars(ORM)).all()
        return [entity_of(row) for row in rows] if entities else rows

    return {
        "asyncpg, records": lambda: driver.fetch(SQL),
        "SQLAlchemy Core, rows": lambda: core(entities=False),
        "SQLAlchemy Core, entities": lambda: core(entities=True),
        "SqlImageReader.list_page": lambda: reader.list_page(LOCAL_ADMINISTRATOR, query),
        "records of ten fields, list_page": lambda: records.list_page(LOCAL_ADMINISTRATOR, query),
        "SQLModel, objects": lambda: orm(entities=False),
        "SQLModel, entities": lambda: orm(entities=True),
    }


async def measure(engine: AsyncEngine, url: str) -> None:
    """Lets all ways take turns, and prints how long they took."""
    driver = await asyncpg.connect(driver_dsn(url))
    timed = ways(engine, driver)
    milliseconds: dict[str, list[float]] = {name: [] for name in timed}
    for round_ in range(ROUNDS):
        for name, read in timed.items():
            began = time.perf_counter()
            await read()
            if round_ >= ROUNDS // 10:
                milliseconds[name].append((time.perf_counter() - began) * 1000)
    await driver.close()
    for name, taken in milliseconds.items():
        print(f"{name:34} median {statistics.median(taken):6.2f} ms   best {min(taken):6.2f} ms")


async def main() -> None:
    """Fills a database and measures."""
    with TemporaryDirectory(prefix="gallery-bench-", ignore_cleanup_errors=True) as folder:
        async with await EmbeddedServers.start(Path(folder), {Service.POSTGRES}, exclusive=True) as servers:
            url = servers.endpoints.database_url
            assert url is not None
            await upgrade(url)
            engine = create_engine(url, DatabaseSettings())
            async with engine.begin() as connection:
                await connection.execute(insert(IMAGES), [image_values(image(number)) for number in range(IMAGE_COUNT)])
                await connection.exec_driver_sql("ANALYZE images")
            await measure(engine, url)
            await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
