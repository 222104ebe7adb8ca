"""Which answers are compressed, and how."""

from __future__ import annotations

import gzip
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import brotli
import httpx
import pytest

from gallery.settings import ServerSettings, Settings
from gallery.web.app import create_web_app
from gallery.web.compression import MINIMUM_BYTES
from gallery.web.media_urls import original_url
from tests.entities import an_image
from tests.fakes.gallery import MemoryGallery
from tests.unit.test_app import parts_of


def unzstd(body: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415  # not there before

        return zstd.decompress(body)
    import zstandard  # noqa: PLC0415  # not there from then on

    return zstandard.ZstdDecompressor().decompressobj().decompress(body)


LONG = '{ __type(name: "Image") { fields { name description } } }'
SHORT = "{ stats { imageCount } }"
DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": unzstd,
    "br": brotli.decompress,
    "gzip": gzip.decompress,
    "": bytes,
}
"""By the content coding; the empty one is none."""


@asynccontextmanager
async def client_of(gallery: MemoryGallery, *, compression: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    parts = replace(parts_of(gallery), settings=Settings(server=ServerSettings(compression=compression)))
    transport = httpx.ASGITransport(create_web_app(parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        yield client


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(MemoryGallery()) as client:
        yield client


async def asked(
    client: httpx.AsyncClient, accept_encoding: str, query: str = LONG, accept: str = "application/json"
) -> tuple[httpx.Headers, bytes]:
    """The headers of an answer, and its body as it came."""
    headers = {"Accept-Encoding": accept_encoding, "Accept": accept}
    async with client.stream("POST", "/graphql", json={"query": query}, headers=headers) as answer:
        return answer.headers, b"".join([chunk async for chunk in answer.aiter_raw()])


@pytest.mark.parametrize(
    ("accept_encoding", "coding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("zstd;q=0, gzip;q=0.5", "gzip"),
        ("identity", ""),
        ("deflate", ""),
        ("", ""),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
async def test_a_long_answer_is_compressed_as_the_client_takes_it(
    client: httpx.AsyncClient, accept_encoding: str, coding: str, accept: str
) -> None:
    _, plain = await asked(client, "identity")
    headers, body = await asked(client, accept_encoding, accept=accept)

    assert headers.get("content-encoding", "") == coding
    assert int(headers["content-length"]) == len(body)
    assert headers["content-type"] == f"{accept}; charset=utf-8"
    assert headers["vary"] == "Accept, Accept-Encoding"
    assert DECODERS[coding](body) == plain
    assert (len(body) < len(plain) / 2) is bool(coding)


@pytest.mark.parametrize("query", [LONG, SHORT], ids=["long", "short"])
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_who_says_nothing_of_codings_is_answered_as_who_takes_none(
    client: httpx.AsyncClient, query: str, accept: str
) -> None:
    request = client.build_request("POST", "/graphql", json={"query": query}, headers={"Accept": accept})
    del request.headers["accept-encoding"]

    answer = await client.send(request)

    headers, body = await asked(client, "identity", query, accept)
    assert answer.content == body
    names = set(headers) - {"x-request-id"}
    assert {name: answer.headers[name] for name in names} == {name: headers[name] for name in names}
    assert answer.headers.keys() == headers.keys()


async def test_a_short_answer_is_not_compressed(client: httpx.AsyncClient) -> None:
    headers, body = await asked(client, "gzip, br, zstd", SHORT)

    assert "content-encoding" not in headers
    assert len(body) < MINIMUM_BYTES


async def test_events_are_not_compressed(client: httpx.AsyncClient) -> None:
    headers, body = await asked(client, "gzip, br, zstd", accept="text/event-stream")

    assert "content-encoding" not in headers
    assert body.startswith(b"event: next\ndata: {")
    assert len(body) > MINIMUM_BYTES


async def test_images_are_not_compressed() -> None:
    gallery = MemoryGallery()
    image = an_image(file_size_bytes=16)
    gallery.holds(image)
    async with client_of(gallery) as client:
        download = await client.get(original_url("", image), headers={"Accept-Encoding": "gzip, br, zstd"})

    assert download.status_code == 200
    assert "content-encoding" not in download.headers
    assert download.content == image.id.bytes


async def test_compression_can_be_left_to_a_proxy() -> None:
    async with client_of(MemoryGallery(), compression=False) as client:
        headers, body = await asked(client, "gzip, br, zstd")

    assert "content-encoding" not in headers
    assert len(body) > MINIMUM_BYTES
