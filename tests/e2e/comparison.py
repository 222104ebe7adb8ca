"""Rows and objects compared by SQL and a plain S3 client, without anything of the gallery's own that does the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from gallery.platform.database.engine import driver_dsn
from tests.e2e.places import Place

_NAMED = """
SELECT storage_path, checksum FROM images WHERE deleted_at IS NULL
UNION ALL
SELECT renditions.storage_path, renditions.checksum
FROM renditions JOIN images ON images.id = renditions.image_id AND images.deleted_at IS NULL
"""
_COUNTS = """
SELECT
    (SELECT count(*) FROM uploads WHERE state = 'OPEN') AS intents,
    (SELECT count(*) FROM pgqueuer WHERE status IN ('queued', 'picked')) AS waiting_jobs,
    (SELECT count(*) FROM pgqueuer WHERE status = 'failed') AS held_jobs
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What does not match, by the paths of objects, and what is still to be done."""

    orphans: frozenset[str]
    rows_without_object: frozenset[str]
    open_uploads: tuple[str, ...]
    intents: int
    waiting_jobs: int
    held_jobs: int

    @property
    def counts(self) -> Mapping[str, int]:
        """The same in numbers."""
        return {
            "orphans": len(self.orphans),
            "rows_without_object": len(self.rows_without_object),
            "open_uploads": len(self.open_uploads),
            "intents": self.intents,
            "waiting_jobs": self.waiting_jobs,
            "held_jobs": self.held_jobs,
        }


NOTHING_AMISS: Mapping[str, int] = {
    "orphans": 0,
    "rows_without_object": 0,
    "open_uploads": 0,
    "intents": 0,
    "waiting_jobs": 0,
    "held_jobs": 0,
}


async def compare(place: Place) -> Comparison:
    """How rows and objects of a gallery at rest compare; what is stored meanwhile may look like an orphan."""
    stored = frozenset(await place.objects.keys())
    connection = await asyncpg.connect(driver_dsn(place.database_url))
    try:
        named = frozenset(row["storage_path"] for row in await connection.fetch(_NAMED))
        counts = await connection.fetchrow(_COUNTS)
    finally:
        await connection.close()
    assert counts is not None
    return Comparison(
        orphans=stored - named,
        rows_without_object=named - stored,
        open_uploads=tuple(await place.objects.open_uploads()),
        **dict(counts),
    )


@dataclass(frozen=True, slots=True)
class BytesRead:
    """How many objects were read that a row names, and the paths of those that are not as their rows say."""

    objects: int
    wrong: frozenset[str]


async def read_all(place: Place) -> BytesRead:
    """Reads all that a row names, whoever was told of it, and compares its SHA-256; lost objects are left out."""
    stored = frozenset(await place.objects.keys())
    connection = await asyncpg.connect(driver_dsn(place.database_url))
    try:
        checksums = {row["storage_path"]: row["checksum"] for row in await connection.fetch(_NAMED)}
    finally:
        await connection.close()
    there = stored & checksums.keys()
    wrong = {path for path in there if hashlib.sha256(await place.objects.read(path)).hexdigest() != checksums[path]}
    return BytesRead(len(there), frozenset(wrong))
