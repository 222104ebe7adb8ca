"""Addresses of bytes: whole files, parts, conditions, names, and what becomes of failures."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Message

from gallery.domain.errors import UnavailableError
from gallery.domain.images import ContentType, Image, Rendition, RenditionSize
from gallery.domain.ports import ObjectStream
from gallery.settings import ServerSettings
from gallery.web.authentication import OPEN
from gallery.web.media import Media
from gallery.web.media_urls import original_url, rendition_url
from gallery.web.middleware.stack import middleware
from gallery.web.paths import MEDIA_PATH
from gallery.web.responses import ERROR_HANDLERS
from tests.entities import a_rendition, an_image
from tests.fakes.gallery import MemoryGallery
from tests.fakes.images import MemoryImageReader
from tests.fakes.storage import MemoryObject, MemoryObjectStorage

CONTENT = bytes(range(256)) * 4
SMALL = b"a small thumbnail"
AWAY = UnavailableError("storage")


class WatchedStorage(MemoryObjectStorage):
    """Remembers which parts were read, and whether every stream was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[tuple[str, int, int | None]] = []
        self.closed = 0

    def open(
        self, storage_path: str, *, first_byte: int = 0, last_byte: int | None = None
    ) -> AbstractAsyncContextManager[ObjectStream]:
        return self._watched(storage_path, first_byte, last_byte)

    @asynccontextmanager
    async def _watched(self, storage_path: str, first_byte: int, last_byte: int | None) -> AsyncIterator[ObjectStream]:
        self.opened.append((storage_path, first_byte, last_byte))
        try:
            async with super().open(storage_path, first_byte=first_byte, last_byte=last_byte) as stream:
                yield stream
        finally:
            self.closed += 1


class Shelf:
    """A gallery with one image and its small thumbnail, as a browser sees it."""

    def __init__(self, client: httpx.AsyncClient, gallery: MemoryGallery, storage: WatchedStorage) -> None:
        self.client = client
        self.gallery = gallery
        self.storage = storage
        self.image = self.put_image(CONTENT)
        self.small = self.put_rendition(self.image, RenditionSize.SMALL, SMALL)

    def put_image(self, content: bytes, **fields: Any) -> Image:  # noqa: ANN401  # any field of an image
        digest = hashlib.sha256(content).hexdigest()
        image = an_image(file_size_bytes=len(content), checksum=digest, **fields)
        self.gallery.tables.images[image.id] = image
        self.storage.objects[image.storage_path] = MemoryObject(content=content, content_type="wrong/type")
        return image

    def put_rendition(self, image: Image, size: RenditionSize, content: bytes) -> Rendition:
        digest = hashlib.sha256(content).hexdigest()
        rendition = replace(a_rendition(image, size), file_size_bytes=len(content), checksum=digest)
        self.gallery.tables.renditions[image.id] = (rendition,)
        self.storage.objects[rendition.storage_path] = MemoryObject(content=content, content_type="wrong/type")
        return rendition

    async def get(self, **headers: str) -> httpx.Response:
        """Asks for the image itself."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.get(original_url("", self.image), headers=fields)


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    gallery, storage = MemoryGallery(), WatchedStorage()
    app = Starlette(
        routes=[Route(MEDIA_PATH, Media(MemoryImageReader(gallery.database), storage, OPEN), methods=["GET"])],
        middleware=middleware(ServerSettings()),
        exception_handlers=ERROR_HANDLERS,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        yield Shelf(client, gallery, storage)
        assert storage.closed == len(storage.opened)


def error_code(answer: httpx.Response) -> str:
    """The code of an answer that must be an error, which nobody may keep."""
    [error] = answer.json()["errors"]
    assert error["extensions"]["requestId"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers
    code: str = error["extensions"]["code"]
    return code


# Whole files


async def test_original_is_sent_whole_with_its_type_and_validator(shelf: Shelf) -> None:
    answer = await shelf.get()
    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-length"] == "1024"
    assert answer.headers["etag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert "content-range" not in answer.headers


async def test_rendition_is_sent_under_the_name_of_its_image(shelf: Shelf) -> None:
    answer = await shelf.client.get(rendition_url("", shelf.small))
    assert (answer.status_code, answer.content) == (200, SMALL)
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["etag"] == f'"{shelf.small.checksum}"'
    assert answer.headers["content-disposition"] == 'inline; filename="harbour-small.webp"'


async def test_bytes_are_kept_for_a_year_and_shown_anywhere_but_run_nowhere(shelf: Shelf) -> None:
    headers = (await shelf.get()).headers
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["cross-origin-resource-policy"] == "cross-origin"


async def test_head_has_the_headers_of_get_and_reads_nothing(shelf: Shelf) -> None:
    whole = await shelf.get()
    shelf.storage.opened.clear()
    shelf.storage.closed = 0
    answer = await shelf.client.head(original_url("", shelf.image), headers={"Range": "bytes=0-1"})
    headers = dict(answer.headers) | {"x-request-id": whole.headers["x-request-id"]}
    assert (answer.status_code, answer.content) == (200, b"")
    assert headers == dict(whole.headers)
    assert shelf.storage.opened == []


async def test_other_methods_are_refused(shelf: Shelf) -> None:
    answer = await shelf.client.post(original_url("", shelf.image))
    assert (answer.status_code, error_code(answer)) == (405, "METHOD_NOT_ALLOWED")
    assert shelf.storage.opened == []


# Conditions


@pytest.mark.parametrize("field", ["{0}", "W/{0}", '"other", {0}', '"a,b" ,W/{0}', "*", " * "])
async def test_file_that_the_client_has_is_not_sent_again(shelf: Shelf, field: str) -> None:
    etag = f'"{shelf.image.checksum}"'
    answer = await shelf.get(If_None_Match=field.format(etag), Range="bytes=0-1")
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == etag
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "content-length" not in answer.headers
    assert shelf.storage.opened == []


@pytest.mark.parametrize("field", ['"other"', "", "checksum", '"*"'])
async def test_file_that_the_client_has_not_is_sent(shelf: Shelf, field: str) -> None:
    answer = await shelf.get(If_None_Match=field)
    assert (answer.status_code, answer.content) == (200, CONTENT)


async def test_etag_without_quotes_is_another(shelf: Shelf) -> None:
    answer = await shelf.get(If_None_Match=shelf.image.checksum)
    assert answer.status_code == 200


# Parts


@pytest.mark.parametrize(
    ("field", "first", "last"),
    [("bytes=0-0", 0, 0), ("bytes=100-199", 100, 199), ("bytes=1000-", 1000, 1023), ("bytes=-24", 1000, 1023)],
)
async def test_part_is_sent_and_nothing_else_is_read(shelf: Shelf, field: str, first: int, last: int) -> None:
    answer = await shelf.get(Range=field)
    assert (answer.status_code, answer.content) == (206, CONTENT[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/1024"
    assert answer.headers["content-length"] == str(last - first + 1)
    assert answer.headers["content-type"] == "image/jpeg"
    assert shelf.storage.opened == [(shelf.image.storage_path, first, last)]


async def test_part_outside_the_file_is_refused_with_its_size(shelf: Shelf) -> None:
    answer = await shelf.get(Range="bytes=1024-")
    assert (answer.status_code, error_code(answer)) == (416, "RANGE_NOT_SATISFIABLE")
    assert answer.headers["content-range"] == "bytes */1024"
    assert shelf.storage.opened == []


@pytest.mark.parametrize("field", ["bytes=0-1,5-6", "items=0-1", "bytes=5-4", "nonsense"])
async def test_several_or_unreadable_ranges_mean_the_whole_file(shelf: Shelf, field: str) -> None:
    answer = await shelf.get(Range=field)
    assert (answer.status_code, answer.content) == (200, CONTENT)


async def test_part_is_sent_if_the_file_is_still_the_one_that_was_begun(shelf: Shelf) -> None:
    answer = await shelf.get(Range="bytes=0-1", If_Range=f'"{shelf.image.checksum}"')
    assert answer.status_code == 206


@pytest.mark.parametrize("field", ['"other"', 'W/"{0}"', "{0}", "Sun, 06 Nov 1994 08:49:37 GMT"])
async def test_whole_file_is_sent_if_it_may_be_another(shelf: Shelf, field: str) -> None:
    answer = await shelf.get(Range="bytes=0-1", If_Range=field.format(shelf.image.checksum))
    assert (answer.status_code, answer.content) == (200, CONTENT)


# Names


@pytest.mark.parametrize(
    ("original_filename", "field"),
    [
        ("harbour.jpg", 'inline; filename="harbour.jpg"'),
        ("harbour.JPEG", 'inline; filename="harbour.JPEG"'),
        ("harbour.jfif", 'inline; filename="harbour.jfif"'),
        ("harbour", 'inline; filename="harbour.jpg"'),
        ("page.html", 'inline; filename="page.html.jpg"'),
        ("harbour.png", 'inline; filename="harbour.png.jpg"'),
        ("f\xe4hre.jpg", "inline; filename=\"f_hre.jpg\"; filename*=UTF-8''f%C3%A4hre.jpg"),
    ],
)
async def test_original_is_saved_under_its_name_with_the_right_ending(
    shelf: Shelf, original_filename: str, field: str
) -> None:
    image = shelf.put_image(b"other", original_filename=original_filename)
    answer = await shelf.client.get(original_url("", image))
    assert answer.headers["content-disposition"] == field


async def test_right_ending_is_that_of_the_content(shelf: Shelf) -> None:
    image = shelf.put_image(b"other", original_filename="harbour.jpg", content_type=ContentType.PNG)
    answer = await shelf.client.get(original_url("", image))
    assert answer.headers["content-disposition"] == 'inline; filename="harbour.jpg.png"'
    assert answer.headers["content-type"] == "image/png"


# What is not there


@pytest.mark.parametrize(
    "path",
    [
        "/media/{image}/original.png",
        "/media/{image}/original",
        "/media/{image}/original.jpg.jpg",
        "/media/{image}/ORIGINAL.jpg",
        "/media/{image}/small.jpg",
        "/media/{image}/medium.webp",
        "/media/{image}/huge.webp",
        "/media/{upper}/original.jpg",
        "/media/{tag}/original.jpg",
        "/media/img_00000000000070008000000000000000/original.jpg",
        "/media/img_1/original.jpg",
        "/media/{image}x/original.jpg",
        "/media/..%2F..%2Fetc/passwd",
        "/media/{image}/..%2Foriginal.jpg",
        "/media/{image}",
        "/media/{image}/",
        "/media/",
    ],
)
async def test_other_addresses_are_404s_that_nobody_keeps(shelf: Shelf, path: str) -> None:
    hexadecimal = shelf.image.id.hex
    names = {"image": f"img_{hexadecimal}", "upper": f"img_{hexadecimal.upper()}", "tag": f"tag_{hexadecimal}"}
    answer = await shelf.client.get(path.format(**names))
    assert (answer.status_code, error_code(answer)) == (404, "NOT_FOUND")
    assert shelf.storage.opened == []


async def test_deleted_image_is_a_404_with_its_renditions(shelf: Shelf) -> None:
    deleted = shelf.image.deleted(datetime(2026, 5, 2, tzinfo=UTC))
    shelf.gallery.tables.images[shelf.image.id] = deleted
    for url in (original_url("", shelf.image), rendition_url("", shelf.small)):
        answer = await shelf.client.get(url, headers={"If-None-Match": "*"})
        assert (answer.status_code, error_code(answer)) == (404, "NOT_FOUND")
    assert shelf.storage.opened == []


async def test_file_whose_object_is_gone_is_a_404_that_is_logged(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.storage.objects.clear()
    answer = await shelf.get()
    assert (answer.status_code, error_code(answer)) == (404, "NOT_FOUND")
    [record] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert shelf.image.storage_path in record.getMessage()


# A storage that fails


async def test_storage_that_does_not_answer_is_a_503(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    shelf.storage.broken.add("open")
    with caplog.at_level(logging.WARNING):
        answer = await shelf.get()
    assert (answer.status_code, error_code(answer)) == (503, "SERVICE_UNAVAILABLE")
    assert "content-range" not in answer.headers
    assert [record.name for record in caplog.records] == ["gallery.web.media"]


@asynccontextmanager
async def reading(body: AsyncIterator[bytes]) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """An image of 1,024 bytes whose storage gives these chunks, asked for over ASGI."""
    app, url = serving(body)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        yield client, url


def serving(body: AsyncIterator[bytes]) -> tuple[ASGIApp, str]:
    """The application of `reading`, and the address of its image."""

    class Storage(MemoryObjectStorage):
        def open(
            self, storage_path: str, *, first_byte: int = 0, last_byte: int | None = None
        ) -> AbstractAsyncContextManager[ObjectStream]:
            return self._stream(storage_path, first_byte, last_byte)

        @asynccontextmanager
        async def _stream(self, _path: str, _first: int, _last: int | None) -> AsyncIterator[ObjectStream]:
            yield ObjectStream(size_bytes=1024, total_bytes=1024, content_type="", etag="", body=body)

    gallery = MemoryGallery()
    image = an_image(file_size_bytes=1024)
    gallery.holds(image)
    app = Starlette(routes=[Route(MEDIA_PATH, Media(MemoryImageReader(gallery.database), Storage(), OPEN))])
    return app, original_url("", image)


async def test_storage_that_fails_at_the_first_byte_is_a_503() -> None:
    async def body() -> AsyncIterator[bytes]:
        raise AWAY
        yield b"never"

    async with reading(body()) as (client, url):
        answer = await client.get(url)
    assert answer.status_code == 503
    assert "content-disposition" not in answer.headers


async def test_storage_that_fails_later_raises_so_that_the_server_cuts_the_answer() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        raise AWAY

    async with reading(body()) as (client, url):
        with pytest.raises(UnavailableError):
            await client.get(url)


@pytest.mark.parametrize("size", [0, 1023, 1025])
async def test_storage_that_gives_another_size_than_recorded_is_not_believed(size: int) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x" * size

    async with reading(body()) as (client, url):
        with pytest.raises(Exception, match=f"the storage gave {size} bytes of 1024"):
            await client.get(url)


async def test_client_that_goes_away_is_no_failure_where_the_server_tells_by_an_error() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 1024

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_message: Message) -> None:
        raise OSError

    app, url = serving(body())
    scope = {"type": "http", "method": "GET", "path": url, "headers": [], "asgi": {"spec_version": "2.4"}}
    await app(scope, receive, send)
