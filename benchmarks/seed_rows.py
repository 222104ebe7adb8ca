"""The rows that `seed` fills a database with: as skewed as those of real galleries, and the same ones every time.

A few tags and words are on many images and most on few (Zipf); albums are the images of some days, most of them small;
nearly all images are photographs of a camera; one in fifty was deleted.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID

from gallery.domain.access import LOCAL_ADMINISTRATOR
from gallery.domain.images import ContentType, RenditionSize
from gallery.domain.tags import tag_key

Row = tuple[Any, ...]

BEGINNING = datetime(2019, 1, 1, tzinfo=UTC)
INTERVAL = timedelta(minutes=4, microseconds=1)
"""Between two uploads: a million of them take seven years and a half."""
OWNER = LOCAL_ADMINISTRATOR.id
OTHER_OWNERS = tuple(UUID(int=OWNER.int + number) for number in range(1, 5))
WORDS = ("harbour", "storm", "market", "winter", "bridge", "garden", "train", "Zürich", "mountain", "night")
SYLLABLES = ("ba", "del", "fi", "gor", "ha", "kin", "lu", "mar", "no", "pesh", "ri", "tov")
TAGS_PER_IMAGE = 3
FORMATS = {
    ContentType.JPEG: 880,
    ContentType.PNG: 70,
    ContentType.WEBP: 40,
    ContentType.AVIF: 9,
    ContentType.GIF: 1,
}
"""How many of a thousand images are of each."""
NAMES = ("IMG_{number:06}.{ending}", "DSC{number:06}.{ending}", "PXL_{moment:%Y%m%d_%H%M%S}.{ending}")
IMAGE_COLUMNS = (
    "id owner filename original_filename content_type file_size_bytes storage_path checksum width_px height_px "
    "title description processing uploaded_at created_at updated_at deleted_at version"
)
WIDTHS_PX = {RenditionSize.SMALL: 320, RenditionSize.MEDIUM: 960, RenditionSize.LARGE: 2048}


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much there is."""

    images: int = 1000
    tags: int = 40
    albums: int = 20


def identifier(kind: int, number: int) -> UUID:
    """A UUIDv7 that says by its time which number it has, as real ones do. Kinds: 1 image, 2 tag, 3 album."""
    milliseconds = round(moment_of(number).timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62 | kind << 32 | number)


def moment_of(number: int) -> datetime:
    """When the image, tag or album of this number was made."""
    return BEGINNING + INTERVAL * number


def is_deleted(number: int) -> bool:
    """Whether the image of this number was deleted. The first hundred are all there."""
    return number > 100 and number % 50 == 0


def tables(amounts: Amounts) -> dict[str, tuple[str, Iterator[Row]]]:
    """Columns and rows by table, in the order that foreign keys ask for."""
    living = [identifier(1, number) for number in range(amounts.images) if not is_deleted(number)]
    numbers = [number for number in range(amounts.images) if not is_deleted(number)]
    return {
        "images": (
            IMAGE_COLUMNS,
            _images(amounts),
        ),
        "renditions": (
            "image_id size content_type width_px height_px file_size_bytes checksum storage_path",
            (
                _rendition(image_id, number, size)
                for image_id, number in zip(living, numbers, strict=True)
                for size in RenditionSize
            ),
        ),
        "tags": ("id owner name key created_at", map(_tag, range(amounts.tags))),
        "albums": ("id owner title description created_at updated_at version", _albums(amounts)),
        "image_tags": ("image_id tag_id uploaded_at", _image_tags(amounts, living, numbers)),
        "album_images": ("album_id image_id position added_at uploaded_at", _album_images(amounts, living, numbers)),
    }


def zipf(count: int, exponent: float = 1.0) -> list[float]:
    """Weights of which the first is the largest, added up as `random.choices` takes them."""
    return list(accumulate(1 / rank**exponent for rank in range(1, count + 1)))


def titles(seed: int) -> Callable[[], str]:
    """Makes titles of three words. The ten most common are `WORDS`, others are made of syllables."""
    chance = random.Random(seed)  # noqa: S311  # the same every time is the point
    words = [*WORDS, *(first + second + third for first in SYLLABLES for second in SYLLABLES for third in SYLLABLES)]
    weights = zipf(len(words))
    return lambda: " ".join(chance.choices(words, cum_weights=weights, k=3)).capitalize()


def _images(amounts: Amounts) -> Iterator[Row]:
    chance, title = random.Random(1), titles(2)  # noqa: S311  # as above
    formats, weights = list(FORMATS), list(accumulate(FORMATS.values()))
    for number in range(amounts.images):
        (content_type,) = chance.choices(formats, cum_weights=weights)
        owner = OWNER if chance.random() < 0.6 else chance.choice(OTHER_OWNERS)
        size_bytes = int(chance.lognormvariate(15, 0.6))
        yield _image(number, owner, content_type, size_bytes, f"{title()} {number}")


def _image(number: int, owner: UUID, content_type: ContentType, size_bytes: int, title: str) -> Row:
    image_id, moment = identifier(1, number), moment_of(number)
    ending = content_type.value.removeprefix("image/")
    stored = f"{image_id.hex}.{ending}"
    return (
        image_id,
        owner,
        stored,
        NAMES[number % len(NAMES)].format(number=number, moment=moment, ending=ending.upper()),
        content_type.value,
        size_bytes,
        f"images/{moment:%Y/%m}/{stored}",
        f"{number:064x}",
        6000,
        4000,
        title,
        f"Before the {WORDS[number // 7 % len(WORDS)]}." if number % 3 else None,
        "READY",
        moment,
        moment,
        moment,
        moment if is_deleted(number) else None,
        1,
    )


def _rendition(image_id: UUID, number: int, size: RenditionSize) -> Row:
    width_px = WIDTHS_PX[size]
    path = f"thumbnails/{size.value}/{image_id.hex}.webp"
    return image_id, size.value, "image/webp", width_px, width_px * 2 // 3, width_px * 60, f"{number:064x}", path


def tag_name(number: int) -> str:
    """The name of a tag; the smaller the number, the more images have it."""
    return f"{WORDS[number % len(WORDS)]} {number}"


def _tag(number: int) -> Row:
    name = tag_name(number)
    return identifier(2, number), OWNER, name, tag_key(name), moment_of(number)


def _albums(amounts: Amounts) -> Iterator[Row]:
    title = titles(3)
    for number in range(amounts.albums):
        moment = moment_of(number)
        yield identifier(3, number), OWNER, f"{title()} {number}", None, moment, moment, 1


def _image_tags(amounts: Amounts, living: Sequence[UUID], numbers: Sequence[int]) -> Iterator[Row]:
    chance = random.Random(4)  # noqa: S311  # as above
    tag_ids, weights = [identifier(2, number) for number in range(amounts.tags)], zipf(amounts.tags)
    wanted = min(TAGS_PER_IMAGE, amounts.tags)
    for image_id, number in zip(living, numbers, strict=True):
        moment, own = moment_of(number), set[UUID]()
        while len(own) < wanted:
            own.update(chance.choices(tag_ids, cum_weights=weights))
        for tag_id in sorted(own):
            yield image_id, tag_id, moment


def _album_images(amounts: Amounts, living: Sequence[UUID], numbers: Sequence[int]) -> Iterator[Row]:
    """Every image is in one album; an album holds what was uploaded one after the other."""
    if not amounts.albums:
        return
    ends = _album_ends(amounts.albums, len(living))
    album = 0
    for place, (image_id, number) in enumerate(zip(living, numbers, strict=True)):
        while place >= ends[album]:
            album += 1
        moment = moment_of(number)
        yield identifier(3, album), image_id, place + 1, moment, moment


def _album_ends(albums: int, images: int) -> list[int]:
    """Where each album ends in the row of all images. Large and small ones are mixed."""
    sizes = [1 / rank**0.8 for rank in range(1, albums + 1)]
    random.Random(5).shuffle(sizes)  # noqa: S311  # as above
    whole = sum(sizes)
    ends = [round(end / whole * images) for end in accumulate(sizes)]
    return [*ends[:-1], images]
