"""Fills an empty, migrated database with images, tags and albums: the same ones for the same numbers.

Rows go in by COPY, so that a million images take a minute. There are no objects in the storage behind them.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from gallery.domain.access import LOCAL_ADMINISTRATOR
from gallery.domain.images import RenditionSize
from gallery.platform.database.engine import driver_dsn
from gallery.platform.database.migrate import upgrade

Row = tuple[Any, ...]

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
OWNER = LOCAL_ADMINISTRATOR.id
WORDS = ("harbour", "storm", "market", "winter", "bridge", "garden", "train", "Zürich", "mountain", "night")
IMAGE_COLUMNS = (
    "id owner filename original_filename content_type file_size_bytes storage_path checksum width_px height_px "
    "title description processing uploaded_at created_at updated_at version"
)
WIDTHS_PX = {RenditionSize.SMALL: 320, RenditionSize.MEDIUM: 960, RenditionSize.LARGE: 2048}


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much there is. Every image has its tags and albums by chance, at most as many as there are."""

    images: int = 1000
    tags: int = 40
    albums: int = 20
    tags_per_image: int = 3
    albums_per_image: int = 1

    @property
    def places(self) -> tuple[int, int]:
        """How many tags and albums an image has."""
        return min(self.tags_per_image, self.tags), min(self.albums_per_image, self.albums)


def identifier(kind: int, number: int) -> UUID:
    """A UUIDv7 that says by its time which number it has, as real ones do. Kinds: 1 image, 2 tag, 3 album."""
    milliseconds = round(_moment(number).timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62 | kind << 32 | number)


async def seed(url: str, amounts: Amounts) -> None:
    """Fills the database, and has PostgreSQL look at what it holds."""
    connection = await asyncpg.connect(driver_dsn(url))
    try:
        async with connection.transaction():
            for table, (columns, rows) in _tables(amounts).items():
                await connection.copy_records_to_table(table, columns=columns.split(), records=rows)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def _tables(amounts: Amounts) -> dict[str, tuple[str, Iterator[Row]]]:
    """Columns and rows by table, in the order that foreign keys ask for."""
    image_numbers = range(amounts.images)
    return {
        "images": (
            IMAGE_COLUMNS,
            map(_image, image_numbers),
        ),
        "renditions": (
            "image_id size content_type width_px height_px file_size_bytes checksum storage_path",
            (_rendition(number, size) for number in image_numbers for size in RenditionSize),
        ),
        "tags": ("id owner name key created_at", map(_tag, range(amounts.tags))),
        "albums": ("id owner title description created_at updated_at version", map(_album, range(amounts.albums))),
        "image_tags": ("image_id tag_id uploaded_at", _image_tags(amounts)),
        "album_images": ("album_id image_id position added_at", _album_images(amounts)),
    }


def _image(number: int) -> Row:
    image_id, moment = identifier(1, number), _moment(number)
    stored = f"{image_id.hex}.jpg"
    return (
        image_id,
        OWNER,
        stored,
        f"IMG_{number:06}.JPG",
        "image/jpeg",
        3_000_000 + number,
        f"images/{moment:%Y/%m}/{stored}",
        f"{number:064x}",
        6000,
        4000,
        f"{WORDS[number % len(WORDS)].capitalize()} {number}",
        f"Before the {WORDS[number // 7 % len(WORDS)]}." if number % 3 else None,
        "READY",
        moment,
        moment,
        moment,
        1,
    )


def _rendition(number: int, size: RenditionSize) -> Row:
    image_id, width_px = identifier(1, number), WIDTHS_PX[size]
    path = f"thumbnails/{size.value}/{image_id.hex}.webp"
    return image_id, size.value, "image/webp", width_px, width_px * 2 // 3, width_px * 60, f"{number:064x}", path


def _tag(number: int) -> Row:
    name = f"{WORDS[number % len(WORDS)]} {number}"
    return identifier(2, number), OWNER, name, name.casefold(), _moment(number)


def _album(number: int) -> Row:
    moment = _moment(number)
    return identifier(3, number), OWNER, f"Album {number}", None, moment, moment, 1


def _image_tags(amounts: Amounts) -> Iterator[Row]:
    chance = random.Random(1)  # noqa: S311  # the same every time is the point
    for number in range(amounts.images):
        for tag in chance.sample(range(amounts.tags), amounts.places[0]):
            yield identifier(1, number), identifier(2, tag), _moment(number)


def _album_images(amounts: Amounts) -> Iterator[Row]:
    chance = random.Random(2)  # noqa: S311  # as above
    for number in range(amounts.images):
        for album in chance.sample(range(amounts.albums), amounts.places[1]):
            yield identifier(3, album), identifier(1, number), number + 1, _moment(number)


def _moment(number: int) -> datetime:
    return BEGINNING + timedelta(minutes=number, microseconds=number)


async def main() -> None:
    """Migrates and fills the database that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="postgresql://… of an empty database")
    for name, default in (("images", 1000), ("tags", 40), ("albums", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    await upgrade(given.url)
    await seed(given.url, Amounts(images=given.images, tags=given.tags, albums=given.albums))


if __name__ == "__main__":
    asyncio.run(main())
