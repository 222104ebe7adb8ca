"""Every mutation that changes what is there, with inputs for it, and what a test sees of it over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import text

from gallery.domain.events import EventKind
from tests.integration.live_gallery import LiveGallery

IMAGE = "image { id title description version updatedAt tags { name } albums { title } }"
ALBUM = "album { id title description imageCount updatedAt images { nodes { id title } } }"
RESULTS = "results { id image { id title } errors { code field } }"
NO_IMAGE = f"img_{uuid4().hex}"

Input = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What there is to change: an image in no album and without tags, and one in an album and with a tag."""

    image: str
    in_album: str
    album: str
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A mutation: what it is asked for, two inputs that it takes, and the event that the first one leaves."""

    answer: str
    event: EventKind
    given: Callable[[Contents], Input]
    other: Callable[[Contents], Input]


CHANGES = {
    "updateImage": Change(
        answer=IMAGE,
        event=EventKind.IMAGE_UPDATED,
        given=lambda has: {"id": has.image, "title": "Lighthouse"},
        other=lambda has: {"id": has.image, "title": "Lighthouse", "description": None},
    ),
    "deleteImage": Change(
        answer=IMAGE,
        event=EventKind.IMAGE_DELETED,
        given=lambda has: {"id": has.in_album},
        other=lambda has: {"id": has.image},
    ),
    "setVisibility": Change(
        answer=RESULTS,
        event=EventKind.IMAGE_VISIBILITY_CHANGED,
        given=lambda has: {"imageIds": [has.image, NO_IMAGE], "visibility": "PUBLIC"},
        other=lambda has: {"imageIds": [has.image, NO_IMAGE], "visibility": "UNLISTED"},
    ),
    "tagImages": Change(
        answer=RESULTS,
        event=EventKind.IMAGE_TAGGED,
        given=lambda has: {"imageIds": [has.image, NO_IMAGE], "tags": ["sea"]},
        other=lambda has: {"imageIds": [has.image, NO_IMAGE], "tags": ["sand"]},
    ),
    "untagImages": Change(
        answer=RESULTS,
        event=EventKind.IMAGE_UNTAGGED,
        given=lambda has: {"imageIds": [has.in_album], "tags": ["sea"]},
        other=lambda has: {"imageIds": [has.in_album, has.image], "tags": ["sea"]},
    ),
    "deleteTag": Change(
        answer="tag { id name createdAt imageCount }",
        event=EventKind.TAG_DELETED,
        given=lambda has: {"id": has.tag},
        other=lambda has: {"id": has.image},
    ),
    "updateAlbum": Change(
        answer=ALBUM,
        event=EventKind.ALBUM_UPDATED,
        given=lambda has: {"id": has.album, "title": "Winter"},
        other=lambda has: {"id": has.album, "title": "Autumn"},
    ),
    "deleteAlbum": Change(
        answer=ALBUM,
        event=EventKind.ALBUM_DELETED,
        given=lambda has: {"id": has.album},
        other=lambda has: {"id": has.image},
    ),
    "addImagesToAlbum": Change(
        answer=f"{ALBUM} {RESULTS}",
        event=EventKind.ALBUM_IMAGES_ADDED,
        given=lambda has: {"albumId": has.album, "imageIds": [NO_IMAGE, has.image]},
        other=lambda has: {"albumId": has.album, "imageIds": [has.image, NO_IMAGE]},
    ),
    "removeImagesFromAlbum": Change(
        answer=f"{ALBUM} {RESULTS}",
        event=EventKind.ALBUM_IMAGES_REMOVED,
        given=lambda has: {"albumId": has.album, "imageIds": [has.in_album]},
        other=lambda has: {"albumId": has.album, "imageIds": []},
    ),
}


async def send(gallery: LiveGallery, field: str, given: Input, key: str | None = None) -> httpx.Response:
    kind = f"{field[0].upper()}{field[1:]}Input"
    document = f"""mutation ($input: {kind}!) {{
      {field}(input: $input) {{ {CHANGES[field].answer} errors {{ code field }} }}
    }}"""
    return await gallery.send(document, {"input": given}, key=key)


def payload(response: httpx.Response, field: str) -> dict[str, Any]:
    """The answer of a mutation that has no errors but those in its payload."""
    assert response.status_code == 200, response.text
    assert "errors" not in response.json(), response.text
    found: dict[str, Any] = response.json()["data"][field]
    return found


async def events(gallery: LiveGallery) -> list[str]:
    """The kinds of everything that was recorded, oldest first."""
    async with gallery.container.engine.connect() as connection:
        return list(await connection.scalars(text("SELECT kind FROM events ORDER BY sequence")))


async def forget_answers(gallery: LiveGallery) -> None:
    """As if the gallery had been killed after the commits, before it could keep what it would have answered."""
    async with gallery.container.engine.begin() as connection:
        await connection.execute(text("DELETE FROM idempotent_answers"))
