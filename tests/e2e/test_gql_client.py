"""The main job through gql, the GraphQL client that Python programs use, over both of its transports."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gql import Client, FileVar, gql
from gql.client import AsyncClientSession
from gql.transport import AsyncTransport
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport

from tests.e2e.api import IMAGE, UPLOAD_IMAGE, UPLOAD_IMAGES
from tests.e2e.gallery_server import GalleryServer
from tests.photographs import jpeg, png, webp

HEADERS = {"Apollo-Require-Preflight": "true"}
GET_IMAGE = f"query ($id: ID!) {{ image(id: $id) {{ {IMAGE} }} }}"

CREATE_ALBUM = """
mutation ($input: CreateAlbumInput!) { createAlbum(input: $input) { album { id imageCount } errors { code } } }
"""


def aiohttp_transport(url: str) -> AsyncTransport:
    return AIOHTTPTransport(url=url, headers=HEADERS, ssl=False)


def httpx_transport(url: str) -> AsyncTransport:
    return HTTPXAsyncTransport(url=url, headers=HEADERS, timeout=60)


@pytest.fixture(params=[aiohttp_transport, httpx_transport])
async def session(request: pytest.FixtureRequest, server: GalleryServer) -> AsyncIterator[AsyncClientSession]:
    """A session that checks operations against the schema that it has fetched."""
    transport = request.param(server.graphql_url)
    async with Client(transport=transport, fetch_schema_from_transport=True, execute_timeout=60) as session:
        assert isinstance(session, AsyncClientSession)
        yield session


def unique(photograph: bytes) -> bytes:
    """The photograph with bytes behind it that no other has: the gallery knows what it has already."""
    return photograph + uuid.uuid4().bytes


async def execute(session: AsyncClientSession, document: str, **variables: object) -> dict[str, Any]:
    """The data of an operation, with those of its variables that are files uploaded."""
    request = gql(document)
    request.variable_values = variables
    return await session.execute(request, upload_files=_holds_a_file(variables))


def _holds_a_file(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_a_file, value.values()))
    if isinstance(value, list):
        return any(map(_holds_a_file, value))
    return isinstance(value, FileVar)


async def until_processed(session: AsyncClientSession, image_id: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            image: dict[str, Any] = (await execute(session, GET_IMAGE, id=image_id))["image"]
            if image["processing"] != "PENDING":
                return image
            await asyncio.sleep(0.1)


async def test_main_job(session: AsyncClientSession, tmp_path: Path) -> None:
    photograph = unique(jpeg(1400, 1000))
    tag = f"gql {uuid.uuid4().hex}"
    path = tmp_path / "quarters.jpg"
    path.write_bytes(photograph)

    file = FileVar(str(path), content_type="image/jpeg")
    uploaded = (await execute(session, UPLOAD_IMAGE, input={"file": file, "tags": [tag]}))["uploadImage"]
    assert (uploaded["outcome"], uploaded["errors"]) == ("CREATED", [])
    image = await until_processed(session, uploaded["image"]["id"])
    assert image["checksum"] == hashlib.sha256(photograph).hexdigest()
    assert (image["originalFilename"], image["width"], image["height"]) == ("quarters.jpg", 1400, 1000)
    sizes = [(size["width"], size["height"]) for size in image["thumbnails"].values()]
    assert sizes == [(320, 229), (960, 686), (1400, 1000)]
    async with httpx.AsyncClient() as http:
        assert (await http.get(image["url"])).content == photograph

    created = await execute(
        session,
        CREATE_ALBUM,
        input={"title": "Evenings", "imageIds": [image["id"]]},
    )
    album_id = created["createAlbum"]["album"]["id"]
    assert created == {"createAlbum": {"album": {"id": album_id, "imageCount": 1}, "errors": []}}
    listed = await execute(
        session,
        "query ($filter: ImageFilter) { images(filter: $filter) { totalCount nodes { id albums { id } } } }",
        filter={"tags": [tag], "albumId": album_id},
    )
    assert listed["images"] == {"totalCount": 1, "nodes": [{"id": image["id"], "albums": [{"id": album_id}]}]}

    deleted = await execute(
        session,
        "mutation ($id: ID!) { deleteImage(input: { id: $id }) { image { id } errors { code } } }",
        id=image["id"],
    )
    assert deleted == {"deleteImage": {"image": {"id": image["id"]}, "errors": []}}
    with pytest.raises(TransportQueryError) as refused:
        await execute(session, GET_IMAGE, id=image["id"])
    assert refused.value.errors is not None
    assert [error["extensions"]["code"] for error in refused.value.errors] == ["NOT_FOUND"]


async def test_several_files_in_one_request_each_become_an_image(session: AsyncClientSession, tmp_path: Path) -> None:
    contents = {"a.jpg": unique(jpeg()), "b.png": unique(png()), "notes.txt": b"no picture", "c.webp": unique(webp())}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)

    files = [FileVar(str(tmp_path / name)) for name in contents]
    results = (await execute(session, UPLOAD_IMAGES, input={"files": files}))["uploadImages"]["results"]

    assert [[error["code"] for error in result["errors"]] for result in results] == [[], [], ["NOT_AN_IMAGE"], []]
    stored = [result["image"] and result["image"]["checksum"] for result in results]
    assert stored == [
        None if name == "notes.txt" else hashlib.sha256(content).hexdigest() for name, content in contents.items()
    ]


async def test_file_is_streamed_though_nobody_knows_its_length(server: GalleryServer) -> None:
    photograph = unique(jpeg() + bytes(20_000_000))

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(photograph), 100_000):
            yield photograph[start : start + 100_000]

    async with Client(transport=aiohttp_transport(server.graphql_url), execute_timeout=60) as session:
        file = FileVar(chunks(), filename="generated.jpg", content_type="image/jpeg")
        uploaded = (await execute(session, UPLOAD_IMAGE, input={"file": file}))["uploadImage"]

    assert (uploaded["outcome"], uploaded["errors"]) == ("CREATED", [])
    assert uploaded["image"]["originalFilename"] == "generated.jpg"
    assert uploaded["image"]["fileSize"] == len(photograph)
    assert uploaded["image"]["checksum"] == hashlib.sha256(photograph).hexdigest()
