"""One contract, two transports: what becomes of a file is the same whether it is streamed or staged.

Real services, real sockets; the files of staged uploads go to the storage by presigned URLs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from tests import photographs
from tests.damaged import DAMAGED, jpeg_scan, lengthened
from tests.e2e.api import data_of
from tests.e2e.places import fresh_place
from tests.integration.live_gallery import PART_SIZE_BYTES, LiveGallery, live_gallery
from tests.services import Services

MAX_FILE_SIZE = PART_SIZE_BYTES + 1024 * 1024
"""Of two parts."""
MAX_PIXELS = 25_000_000
MORE_THAN_A_PART = PART_SIZE_BYTES + 1000

PHOTO = photographs.jpeg()
OTHER = photographs.jpeg(64, 48)

PAYLOAD = """outcome errors { code } image {
  id originalFilename contentType fileSize checksum width height title description processing
  tags { name } albums { title imageCount }
}"""
UPLOAD = f"mutation ($input: UploadImageInput!) {{ uploadImage(input: $input) {{ {PAYLOAD} }} }}"
CREATE = "mutation ($input: CreateUploadInput!) { createUpload(input: $input) { upload { id } errors { code } } }"
MISSING = "query ($id: ID!) { upload(id: $id) { partUrls { url firstByte size } } }"
COMPLETE = f"mutation ($input: CompleteUploadInput!) {{ completeUpload(input: $input) {{ {PAYLOAD} }} }}"

OPEN_UPLOADS = "uploads WHERE state = 'OPEN'"
"""Those that were refused stay for a while, to be told of."""

Payload = dict[str, Any]


class Transport(Protocol):
    """A way for a file into the gallery."""

    async def send(self, gallery: LiveGallery, file: bytes, key: str | None = None, /, **given: object) -> Payload:
        """What the gallery says in the end of a file called `0.jpg`, which is said to be a JPEG."""
        ...


class Streamed:
    """Through the gallery, in one request."""

    async def send(self, gallery: LiveGallery, file: bytes, key: str | None = None, /, **given: object) -> Payload:
        """Ignores what can only be announced."""
        for announced in ("contentType", "checksum"):
            given.pop(announced, None)
        response = await gallery.send(UPLOAD, {"input": {"file": None, **given}}, file, key=key)
        payload: Payload = data_of(response)["uploadImage"]
        return payload


class Staged:
    """Past the gallery, in parts. The key is that of `createUpload`; `completeUpload` may be repeated without one."""

    async def send(self, gallery: LiveGallery, file: bytes, key: str | None = None, /, **given: object) -> Payload:
        """Says whatever refuses the file first."""
        announced = {"filename": "0.jpg", "fileSize": len(file), "contentType": "image/jpeg"}
        announced["checksum"] = sha256(file).hexdigest()
        created = data_of(await gallery.send(CREATE, {"input": {**announced, **given}}, key=key))["createUpload"]
        if created["upload"] is None:
            return {"outcome": None, "image": None, "errors": created["errors"]}
        upload_id = created["upload"]["id"]
        missing = data_of(await gallery.send(MISSING, {"id": upload_id}))["upload"]["partUrls"]
        await self._put(file, missing)
        completed = await gallery.send(COMPLETE, {"input": {"id": upload_id}})
        payload: Payload = data_of(completed)["completeUpload"]
        return payload

    @staticmethod
    async def _put(file: bytes, parts: Sequence[dict[str, Any]]) -> None:
        async with httpx.AsyncClient(timeout=60) as client:
            for part in parts:
                content = file[part["firstByte"] : part["firstByte"] + part["size"]]
                (await client.put(part["url"], content=content)).raise_for_status()


TRANSPORTS = [pytest.param(Streamed(), id="streamed"), pytest.param(Staged(), id="staged")]
both = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture(scope="module")
async def running(services: Services, migrated_template: str) -> AsyncIterator[LiveGallery]:
    async with (
        fresh_place(services, migrated_template, cache_database=4) as place,
        live_gallery(place, max_file_size=MAX_FILE_SIZE, max_pixels=MAX_PIXELS) as gallery,
    ):
        yield gallery


@pytest.fixture
async def gallery(running: LiveGallery) -> AsyncIterator[LiveGallery]:
    yield running
    await running.clear()


def codes(payload: Payload) -> list[str]:
    return [error["code"] for error in payload["errors"]]


def image_ids(*payloads: Payload) -> set[str]:
    return {payload["image"]["id"] for payload in payloads}


def padded_jpeg(size: int) -> bytes:
    """A whole JPEG of that size: what follows the end of one is no fault."""
    return PHOTO + bytes(size - len(PHOTO))


def long_jpeg() -> bytes:
    """Longer than what is looked at first, to its last byte."""
    return PHOTO[:-2] + b"\x12" * 200_000 + b"\xff\xd9"


async def rows(gallery: LiveGallery, statement: str) -> list[tuple[Any, ...]]:
    async with gallery.container.engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(statement))]


async def asked_jobs(gallery: LiveGallery) -> list[str]:
    return [name for (name,) in await rows(gallery, "SELECT entrypoint FROM pgqueuer ORDER BY id")]


async def events(gallery: LiveGallery) -> list[tuple[Any, ...]]:
    """Kind and payload of what was recorded. Ids within it, which are new each time, are left out."""
    recorded = await rows(gallery, "SELECT kind, payload FROM events ORDER BY sequence")
    return [
        (kind, {name: value for name, value in payload.items() if not name.endswith("_ids")})
        for kind, payload in recorded
    ]


async def do_jobs(gallery: LiveGallery) -> None:
    """Lets a worker do what there is to do."""
    stop = asyncio.Event()
    working = asyncio.create_task(gallery.container.worker.run(stop))
    async with asyncio.timeout(60):
        while await asked_jobs(gallery):  # noqa: ASYNC110  # nothing tells a test what the queue holds
            await asyncio.sleep(0.02)
    stop.set()
    await working


async def originals(gallery: LiveGallery) -> list[str]:
    """The SHA-256 of each original that is stored, once the jobs are done."""
    await do_jobs(gallery)
    names = [name for name in await gallery.place.objects.keys() if name.startswith("images/")]
    return sorted([sha256(await gallery.place.objects.read(name)).hexdigest() for name in names])


async def holds(gallery: LiveGallery, *files: bytes) -> bool:
    """Whether these files are images, and beside them nothing is in the storage or under way."""
    checksums = sorted(sha256(file).hexdigest() for file in files)
    under_way = await rows(gallery, "SELECT id FROM uploads WHERE state = 'OPEN'")
    images = [one for (one,) in await rows(gallery, "SELECT checksum FROM images ORDER BY checksum")]
    assert await gallery.place.objects.open_uploads() == []
    return (await originals(gallery), images, under_way) == (checksums, checksums, [])


async def new_album(gallery: LiveGallery, title: str = "Summer") -> str:
    payload = await gallery.api.change("createAlbum", "CreateAlbumInput", "album { id }", title=title)
    album_id: str = payload["album"]["id"]
    return album_id


# What is taken


@both
@pytest.mark.parametrize("size", [len(PHOTO), MAX_FILE_SIZE], ids=["small", "of the largest size"])
async def test_a_file_becomes_an_image(gallery: LiveGallery, transport: Transport, size: int) -> None:
    file = padded_jpeg(size)
    album_id = await new_album(gallery)
    given = {"title": " Harbour ", "description": "By day", "tags": ["Sea", "sea", "Boats"], "albumId": album_id}
    payload = await transport.send(gallery, file, **given)

    assert payload == {
        "outcome": "CREATED",
        "errors": [],
        "image": {
            "id": payload["image"]["id"],
            "originalFilename": "0.jpg",
            "contentType": "image/jpeg",
            "fileSize": size,
            "checksum": sha256(file).hexdigest(),
            "width": photographs.WIDTH_PX,
            "height": photographs.HEIGHT_PX,
            "title": "Harbour",
            "description": "By day",
            "processing": "PENDING",
            "tags": [{"name": "Boats"}, {"name": "Sea"}],
            "albums": [{"title": "Summer", "imageCount": 1}],
        },
    }
    assert await asked_jobs(gallery) == ["render_image"]
    assert await holds(gallery, file)


@both
async def test_what_is_recorded_is_the_same(gallery: LiveGallery, transport: Transport) -> None:
    album_id = await new_album(gallery)
    await transport.send(gallery, PHOTO, tags=["Sea"], albumId=album_id)

    uploaded = {
        "original_filename": "0.jpg",
        "content_type": "image/jpeg",
        "file_size_bytes": len(PHOTO),
        "checksum": sha256(PHOTO).hexdigest(),
    }
    assert await events(gallery) == [
        ("album.created", {"title": "Summer"}),
        ("image.uploaded", uploaded),
        ("tag.created", {"name": "Sea"}),
        ("image.tagged", {"tags": ["Sea"]}),
        ("album.images_added", {}),
    ]


@both
async def test_an_untitled_image_is_called_like_its_file(gallery: LiveGallery, transport: Transport) -> None:
    image = (await transport.send(gallery, PHOTO))["image"]

    assert (image["title"], image["description"], image["tags"], image["albums"]) == ("0", None, [], [])


SOUND = [
    pytest.param("image/jpeg", photographs.progressive_jpeg(), id="progressive jpeg"),
    pytest.param("image/jpeg", photographs.bare_cmyk_jpeg(), id="cmyk jpeg"),
    pytest.param("image/jpeg", photographs.grainy_jpeg(restart_interval=3), id="jpeg with restarts"),
    pytest.param("image/png", photographs.png(), id="png"),
    pytest.param("image/png", photographs.png_16_bit(), id="png of 16 bits"),
    pytest.param("image/webp", photographs.webp(), id="webp"),
    pytest.param("image/webp", photographs.animated_webp(3), id="animated webp"),
    pytest.param("image/gif", photographs.gif(), id="gif"),
    pytest.param("image/gif", photographs.gif(frames=3), id="animated gif"),
    pytest.param("image/avif", photographs.avif(), id="avif"),
]
sizes = pytest.mark.parametrize("longer_by", [0, MORE_THAN_A_PART], ids=["small", "in parts"])


@both
@sizes
@pytest.mark.parametrize(("content_type", "file"), SOUND)
async def test_every_type_is_taken(
    gallery: LiveGallery, transport: Transport, content_type: str, file: bytes, longer_by: int
) -> None:
    file = lengthened(file, longer_by) if longer_by else file
    image = (await transport.send(gallery, file, contentType=content_type))["image"]

    assert image["contentType"] == content_type
    assert await holds(gallery, file)
    assert await rows(gallery, "SELECT processing FROM images") == [("READY",)]


@both
async def test_a_jpeg_may_describe_itself_at_length(gallery: LiveGallery, transport: Transport) -> None:
    file = photographs.with_long_header(photographs.jpeg(), 1024 * 1024)
    await transport.send(gallery, file)

    assert await holds(gallery, file)
    assert await rows(gallery, "SELECT processing FROM images") == [("READY",)]


@both
@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in photographs.real_photographs()[:3]])
async def test_photographs_are_taken(gallery: LiveGallery, transport: Transport, path: Path) -> None:
    file = await asyncio.to_thread(path.read_bytes)
    await transport.send(gallery, file)

    assert await holds(gallery, file)
    assert await rows(gallery, "SELECT processing FROM images") == [("READY",)]


@both
async def test_a_jpeg_with_a_few_damaged_blocks_is_taken_since_its_renditions_can_be_made(
    gallery: LiveGallery, transport: Transport
) -> None:
    file = jpeg_scan(photographs.grainy_jpeg())
    await transport.send(gallery, file)

    assert await holds(gallery, file)
    assert await rows(gallery, "SELECT processing FROM images") == [("READY",)]


# What is refused


@both
@pytest.mark.parametrize(
    ("file", "code"),
    [
        pytest.param(b"", "FILE_EMPTY", id="empty"),
        pytest.param(b"Dear gallery, " * 10_000, "NOT_AN_IMAGE", id="text"),
        pytest.param(photographs.tiff() + bytes(100_000), "UNSUPPORTED_TYPE", id="tiff"),
        pytest.param(photographs.png_claiming(5001, 5000), "TOO_MANY_PIXELS", id="too many pixels"),
        pytest.param(PHOTO[:-1], "IMAGE_TRUNCATED", id="small and truncated"),
        pytest.param(long_jpeg()[:-1], "IMAGE_TRUNCATED", id="long and truncated"),
        pytest.param(padded_jpeg(MAX_FILE_SIZE + 1), "FILE_TOO_LARGE", id="one byte too large"),
    ],
)
async def test_a_file_that_is_refused_leaves_nothing(
    gallery: LiveGallery, transport: Transport, file: bytes, code: str
) -> None:
    payload = await transport.send(gallery, file, tags=["sea"])

    assert payload == {"outcome": None, "image": None, "errors": [{"code": code}]}
    assert await gallery.place.count("images", OPEN_UPLOADS, "events", "tags") == [0, 0, 0, 0]
    assert await holds(gallery)


@both
@sizes
@pytest.mark.parametrize("name", DAMAGED)
async def test_a_file_that_cannot_be_decoded_leaves_nothing(
    gallery: LiveGallery, transport: Transport, name: str, longer_by: int
) -> None:
    file = DAMAGED[name]()
    file = lengthened(file, longer_by) if longer_by else file
    kind = "jpeg" if "jpeg" in name else name
    payload = await transport.send(gallery, file, contentType=f"image/{kind}", tags=["sea"])

    assert payload == {"outcome": None, "image": None, "errors": [{"code": "IMAGE_CORRUPT"}]}
    assert await gallery.place.count("images", OPEN_UPLOADS, "events", "tags") == [0, 0, 0, 0]
    assert await holds(gallery)


@both
@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"title": ""}, "INVALID_NAME"),
        ({"title": "x" * 256}, "INVALID_NAME"),
        ({"description": "x" * 10_001}, "INVALID_DESCRIPTION"),
        ({"tags": ["sea", " "]}, "INVALID_NAME"),
        ({"tags": [str(number) for number in range(101)]}, "TOO_MANY_ITEMS"),
        ({"albumId": "img_0"}, "INVALID_ID"),
        ({"albumId": f"alb_{uuid4().hex}"}, "NOT_FOUND"),
        ({"idempotencyKey": "two words"}, "INVALID_IDEMPOTENCY_KEY"),
    ],
)
async def test_what_is_said_wrongly_of_a_file_leaves_nothing(
    gallery: LiveGallery, transport: Transport, given: dict[str, object], code: str
) -> None:
    payload = await transport.send(gallery, PHOTO, **given)

    assert payload == {"outcome": None, "image": None, "errors": [{"code": code}]}
    assert await gallery.place.count("images", "uploads", "events", "tags") == [0, 0, 0, 0]
    assert await holds(gallery)


@pytest.mark.parametrize(
    "announced",
    [
        pytest.param({"checksum": sha256(OTHER).hexdigest()}, id="checksum"),
        pytest.param({"contentType": "image/png"}, id="type"),
        pytest.param({"fileSize": len(PHOTO) - 1}, id="size"),
    ],
)
async def test_a_file_that_is_not_the_one_announced_leaves_nothing(
    gallery: LiveGallery, announced: dict[str, object]
) -> None:
    payload = await Staged().send(gallery, PHOTO, **announced)

    assert codes(payload) == ["UPLOAD_MISMATCH"]
    assert await gallery.place.count("images", OPEN_UPLOADS, "events") == [0, 0, 0]
    assert await holds(gallery)


async def test_a_file_that_is_smaller_than_announced_is_not_taken_by_the_storage(gallery: LiveGallery) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refusal:
        await Staged().send(gallery, PHOTO, fileSize=len(PHOTO) + 1)

    assert refusal.value.response.status_code == 403
    assert await gallery.place.count("images", OPEN_UPLOADS, "events") == [0, 1, 0]
    assert len(await gallery.place.objects.open_uploads()) == 1
    assert await gallery.place.objects.keys() == []


# Duplicates


@both
@pytest.mark.parametrize("first", TRANSPORTS)
async def test_bytes_that_are_there_are_the_answer(
    gallery: LiveGallery, first: Transport, transport: Transport
) -> None:
    original = await first.send(gallery, PHOTO, tags=["sea"])
    again = await transport.send(gallery, PHOTO, title="Another", tags=["boats"], albumId=await new_album(gallery))

    assert (again["outcome"], codes(again)) == ("EXISTING", [])
    assert again["image"] == {
        **original["image"],
        "tags": [{"name": "boats"}, {"name": "sea"}],
        "albums": [{"title": "Summer", "imageCount": 1}],
    }
    assert [kind for kind, _ in await events(gallery)].count("image.uploaded") == 1
    assert (await asked_jobs(gallery)).count("render_image") == 1
    assert await holds(gallery, PHOTO)


@both
async def test_bytes_that_are_there_become_a_copy_if_that_is_asked_for(
    gallery: LiveGallery, transport: Transport
) -> None:
    original = await transport.send(gallery, PHOTO)
    copy = await transport.send(gallery, PHOTO, onDuplicate="CREATE")

    assert (copy["outcome"], len(image_ids(original, copy))) == ("CREATED", 2)
    assert (await asked_jobs(gallery)) == ["render_image"] * 2
    assert await holds(gallery, PHOTO, PHOTO)


@both
async def test_bytes_that_are_there_are_refused_if_that_is_asked_for(
    gallery: LiveGallery, transport: Transport
) -> None:
    await transport.send(gallery, PHOTO)
    before = await events(gallery)
    refused = await transport.send(gallery, PHOTO, onDuplicate="REJECT", tags=["sea"])

    assert refused == {"outcome": None, "image": None, "errors": [{"code": "DUPLICATE_IMAGE"}]}
    assert await events(gallery) == before
    assert await holds(gallery, PHOTO)


MIXED = [*[Streamed()] * 3, *[Staged()] * 3]
RACES = pytest.mark.parametrize(
    "racing",
    [
        pytest.param([Streamed()] * 6, id="streamed"),
        pytest.param([Staged()] * 6, id="staged"),
        pytest.param(MIXED, id="both"),
    ],
)


async def race(gallery: LiveGallery, racing: Sequence[Transport], **given: object) -> list[Payload]:
    return await asyncio.gather(*(transport.send(gallery, PHOTO, **given) for transport in racing))


@RACES
async def test_the_same_bytes_sent_at_once_become_one_image(gallery: LiveGallery, racing: list[Transport]) -> None:
    payloads = await race(gallery, racing)

    assert sorted(payload["outcome"] for payload in payloads) == ["CREATED", *["EXISTING"] * 5]
    assert len(image_ids(*payloads)) == 1
    assert [kind for kind, _ in await events(gallery)] == ["image.uploaded"]
    assert await holds(gallery, PHOTO)


@RACES
async def test_the_same_bytes_sent_at_once_become_an_image_and_copies(
    gallery: LiveGallery, racing: list[Transport]
) -> None:
    payloads = await race(gallery, racing, onDuplicate="CREATE")

    assert {payload["outcome"] for payload in payloads} == {"CREATED"}
    assert len(image_ids(*payloads)) == 6
    assert await rows(gallery, "SELECT count(*) FROM images WHERE NOT is_copy") == [(1,)]
    assert await holds(gallery, *[PHOTO] * 6)


@RACES
async def test_of_the_same_bytes_sent_at_once_all_but_the_first_are_refused(
    gallery: LiveGallery, racing: list[Transport]
) -> None:
    payloads = await race(gallery, racing, onDuplicate="REJECT")

    assert sorted(json.dumps(codes(payload)) for payload in payloads) == [*['["DUPLICATE_IMAGE"]'] * 5, "[]"]
    assert await holds(gallery, PHOTO)


# Idempotency keys


@both
async def test_a_file_sent_again_with_its_key_is_answered_the_same(gallery: LiveGallery, transport: Transport) -> None:
    key = str(uuid4())
    first = await transport.send(gallery, PHOTO, key, title="Harbour")
    again = await transport.send(gallery, PHOTO, key, title="Harbour")

    assert first["outcome"] == "CREATED"
    assert again == first
    assert await holds(gallery, PHOTO)


@both
@pytest.mark.parametrize(
    ("file", "given"),
    [(OTHER, {}), (PHOTO, {"title": "Another"}), (PHOTO, {"tags": ["sea"]}), (PHOTO, {"onDuplicate": "CREATE"})],
)
async def test_a_key_of_another_upload_is_refused(
    gallery: LiveGallery, transport: Transport, file: bytes, given: dict[str, object]
) -> None:
    key = str(uuid4())
    await transport.send(gallery, PHOTO, key)
    refused = await transport.send(gallery, file, key, **given)

    assert codes(refused) == ["IDEMPOTENCY_KEY_REUSED"]
    assert await gallery.place.count("tags") == [0]
    assert await holds(gallery, PHOTO)


@both
@pytest.mark.parametrize("wrong", [{"title": ""}, {"albumId": f"alb_{uuid4().hex}"}], ids=["title", "album"])
async def test_a_request_put_right_may_carry_its_key(
    gallery: LiveGallery, transport: Transport, wrong: dict[str, object]
) -> None:
    key = str(uuid4())
    refused = await transport.send(gallery, PHOTO, key, **wrong)
    taken = await transport.send(gallery, PHOTO, key)

    assert (refused["image"], taken["outcome"]) == (None, "CREATED")
    assert await holds(gallery, PHOTO)


@both
async def test_a_repeat_does_not_bring_a_deleted_image_back(gallery: LiveGallery, transport: Transport) -> None:
    key = str(uuid4())
    image_id = (await transport.send(gallery, PHOTO, key))["image"]["id"]
    await gallery.api.change("deleteImage", "DeleteImageInput", "image { id }", id=image_id)
    await transport.send(gallery, PHOTO, key)

    assert await rows(gallery, "SELECT count(*) FROM images WHERE deleted_at IS NULL") == [(0,)]
    assert await originals(gallery) == []
