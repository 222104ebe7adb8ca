"""What an answer from the cache costs against one from the database.

Run it with `.venv/bin/python -m benchmarks.cache`; it starts a PostgreSQL and a Valkey of its own, fills the database
with 100,000 images, and prints median and best of many rounds in which all ways take turns. One request at a time: what
the cache takes off the database under load is not measured here.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import SecretStr
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.database_reads import image
from gallery.domain.access import LOCAL_ADMINISTRATOR as VIEWER
from gallery.domain.events import Event, EventKind
from gallery.domain.images import Image
from gallery.domain.pages import ImageFilter, ImageQuery, PageRequest
from gallery.platform.cache import Cache, CachedImageReader, connect
from gallery.platform.database.engine import create_engine
from gallery.platform.database.images import SqlImageReader
from gallery.platform.database.migrate import upgrade
from gallery.platform.database.rows import image_values
from gallery.platform.database.tables import IMAGES
from gallery.platform.embedded import EmbeddedServers, Service
from gallery.settings import CacheSettings, DatabaseSettings

IMAGE_COUNT = 100_000
PAGE_SIZE = 50
ROUNDS = 200

Way = Callable[[], Awaitable[Any]]


def ways(engine: AsyncEngine, cache: Cache, images: list[Image]) -> dict[str, tuple[Way, Way]]:
    """What is read, as the database and as the cache does it."""
    database = SqlImageReader(engine)
    cached = CachedImageReader(database, cache)
    ids = [image.id for image in images]
    query = ImageQuery(page=PageRequest(limit=PAGE_SIZE))
    everything = ImageFilter()
    return {
        f"{PAGE_SIZE} images by id": (lambda: database.get_many(VIEWER, ids), lambda: cached.get_many(VIEWER, ids)),
        f"page of {PAGE_SIZE}": (lambda: database.list_page(VIEWER, query), lambda: cached.list_page(VIEWER, query)),
        "count of all": (lambda: database.count(VIEWER, everything), lambda: cached.count(VIEWER, everything)),
        "stats": (lambda: database.stats(VIEWER), lambda: cached.stats(VIEWER)),
    }


async def timed(way: Way) -> float:
    """How many milliseconds a read takes."""
    began = time.perf_counter()
    await way()
    return (time.perf_counter() - began) * 1000


async def measure(engine: AsyncEngine, cache: Cache, images: list[Image]) -> None:
    """Prints how long a read takes from the database, from the cache, and when the cache has to be filled."""
    dropping = [
        Event(kind=EventKind.IMAGE_DELETED, entity_id=image.id, actor=VIEWER.id, occurred_at=image.updated_at,
              payload={"album_ids": []})
        for image in images
    ]  # fmt: skip
    for name, (database, cached) in ways(engine, cache, images).items():
        taken: dict[str, list[float]] = {"database": [], "hit": [], "miss": []}
        for round_ in range(ROUNDS):
            await cache.drop(dropping)
            miss = await timed(cached)
            await cache.settle()
            await cached()  # a page has only ids at first
            await cache.settle()
            hit = await timed(cached)
            if round_ >= ROUNDS // 10:
                taken["database"].append(await timed(database))
                taken["hit"].append(hit)
                taken["miss"].append(miss)
        figures = (f"{way} {statistics.median(times):.2f} ms, best {min(times):.2f}" for way, times in taken.items())
        print(f"{name:16}", *(f"{figure:32}" for figure in figures))
    print(cache.metrics)


async def main() -> None:
    """Fills a database and measures."""
    services = {Service.POSTGRES, Service.VALKEY}
    with TemporaryDirectory(prefix="gallery-bench-", ignore_cleanup_errors=True) as folder:
        async with await EmbeddedServers.start(Path(folder), services, exclusive=True) as servers:
            database_url, cache_url = servers.endpoints.database_url, servers.endpoints.cache_url
            assert database_url is not None
            assert cache_url is not None
            await upgrade(database_url)
            engine = create_engine(database_url, DatabaseSettings())
            images = [image(number) for number in range(IMAGE_COUNT)]
            async with engine.begin() as connection:
                await connection.execute(insert(IMAGES), [image_values(image) for image in images])
                await connection.exec_driver_sql("ANALYZE images")
            async with connect(CacheSettings(url=SecretStr(cache_url))) as cache:
                await measure(engine, cache, images[-PAGE_SIZE:])
            await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
