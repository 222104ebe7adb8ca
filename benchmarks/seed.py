"""Fills an empty, migrated database with images, tags and albums: the same ones for the same numbers.

    python -m benchmarks seed URL [--images 1000000] [--tags 50000] [--albums 10000]

Rows go in by COPY, into tables whose indexes and references are made afterwards, so that a million images take a few
minutes. There are no objects in the storage behind them.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from benchmarks.seed_rows import Amounts, identifier, tables
from gallery.platform.database.engine import driver_dsn
from gallery.platform.database.migrate import upgrade

__all__ = ["Amounts", "identifier", "seed"]

REFERENCES = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS remove,
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS make
FROM pg_constraint
WHERE contype = 'f' AND conrelid = ANY ($1::text[]::regclass[])
ORDER BY conname
"""
INDEXES = """
SELECT format('DROP INDEX %s', indexrelid::regclass) AS remove, pg_get_indexdef(indexrelid) AS make
FROM pg_index
WHERE indrelid = ANY ($1::text[]::regclass[]) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
ORDER BY indexrelid
"""


async def seed(url: str, amounts: Amounts) -> None:
    """Fills the database, and has PostgreSQL look at what it holds."""
    connection = await asyncpg.connect(driver_dsn(url))
    try:
        contents = tables(amounts)
        async with connection.transaction(), _made_afterwards(connection, list(contents)):
            for table, (columns, rows) in contents.items():
                await connection.copy_records_to_table(table, columns=columns.split(), records=rows)
        await connection.execute("VACUUM (ANALYZE, FREEZE)")
    finally:
        await connection.close()


@asynccontextmanager
async def _made_afterwards(connection: asyncpg.Connection[asyncpg.Record], names: list[str]) -> AsyncIterator[None]:
    """Takes indexes and foreign keys from the tables, and makes them again, which is faster than keeping them."""
    await connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
    taken = [row for query in (REFERENCES, INDEXES) for row in await connection.fetch(query, names)]
    for row in taken:
        await connection.execute(row["remove"])
    yield
    for row in reversed(taken):
        await connection.execute(row["make"])


async def main() -> None:
    """Migrates and fills the database that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="postgresql://… of an empty database")
    default = Amounts()
    for name in ("images", "tags", "albums"):
        parser.add_argument(f"--{name}", type=int, default=getattr(default, name))
    given = parser.parse_args()
    await upgrade(given.url)
    await seed(given.url, Amounts(images=given.images, tags=given.tags, albums=given.albums))


if __name__ == "__main__":
    asyncio.run(main())
