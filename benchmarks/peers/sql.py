"""What Python can do at best: the gallery's statements on asyncpg, dictionaries made by hand, orjson; no GraphQL.

With `PEER_KEEP=1` the bytes of an answer are kept by those of its request: what is left is uvicorn, reading a request
and sending bytes. Settings: `PEER_DATABASE_URL`.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import orjson
from starlette.types import Receive, Scope, Send

from benchmarks.peers.serving import serve
from gallery.domain.images import ContentType

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Rows: TypeAlias = "Sequence[asyncpg.Record]"
Answer = dict[str, Any]

POOL_SIZE = 10
_IMAGE = """SELECT i.id, i.filename, i.original_filename, i.content_type, i.file_size_bytes, i.width_px, i.height_px,
    i.title, i.description, i.uploaded_at FROM images i"""
PAGE = f"{_IMAGE} WHERE i.deleted_at IS NULL ORDER BY i.uploaded_at DESC, i.id DESC LIMIT $1"
ONE = f"{_IMAGE} WHERE i.id = $1 AND i.deleted_at IS NULL"
TAG = "SELECT id FROM tags WHERE key = $1"
TAGGED = f"""{_IMAGE} JOIN image_tags it ON it.image_id = i.id
    WHERE it.tag_id = $1 AND i.deleted_at IS NULL ORDER BY it.uploaded_at DESC, it.image_id DESC LIMIT $2"""
RENDITIONS = "SELECT image_id, size, width_px, height_px FROM renditions WHERE image_id = ANY($1)"
TAGS = """SELECT it.image_id, t.id, t.name FROM image_tags it JOIN tags t ON t.id = it.tag_id
    WHERE it.image_id = ANY($1) ORDER BY t.key"""
ALBUMS = """SELECT ai.image_id, a.id, a.title FROM album_images ai JOIN albums a ON a.id = ai.album_id
    WHERE ai.image_id = ANY($1) ORDER BY a.created_at, a.id"""
IMAGE_COUNTS = "SELECT album_id, count(*) FROM album_images WHERE album_id = ANY($1) GROUP BY album_id"


async def thumbnails(pool: Pool, ids: Sequence[UUID], base_url: str) -> Mapping[UUID, Answer]:
    """The renditions of each image, by their sizes."""
    found: dict[UUID, Answer] = {id_: {"small": None, "medium": None, "large": None} for id_ in ids}
    for id_, size, width, height in await pool.fetch(RENDITIONS, ids):
        url = f"{base_url}/media/img_{id_.hex}/{size}.webp"
        found[id_][size] = {"url": url, "width": width, "height": height}
    return found


async def tags(pool: Pool, ids: Sequence[UUID]) -> Mapping[UUID, list[Answer]]:
    """The tags of each image."""
    found = defaultdict[UUID, list[Answer]](list)
    for image_id, id_, name in await pool.fetch(TAGS, ids):
        found[image_id].append({"id": f"tag_{id_.hex}", "name": name})
    return found


async def albums(pool: Pool, ids: Sequence[UUID]) -> Mapping[UUID, list[Answer]]:
    """The albums of each image."""
    rows = await pool.fetch(ALBUMS, ids)
    held = await pool.fetch(IMAGE_COUNTS, list({row["id"] for row in rows}))
    counts = {row["album_id"]: row["count"] for row in held}
    found = defaultdict[UUID, list[Answer]](list)
    for image_id, id_, title in rows:
        found[image_id].append({"id": f"alb_{id_.hex}", "title": title, "imageCount": counts.get(id_, 0)})
    return found


async def images(pool: Pool, rows: Rows, base_url: str) -> list[Answer]:
    """The images that rows are, with everything that belongs to them."""
    ids = [row["id"] for row in rows]
    thumbnails_of, tags_of, albums_of = await asyncio.gather(
        thumbnails(pool, ids, base_url), tags(pool, ids), albums(pool, ids)
    )
    return [
        {
            "id": f"img_{id_.hex}",
            "filename": filename,
            "originalFilename": original_filename,
            "contentType": content_type,
            "fileSize": file_size,
            "width": width,
            "height": height,
            "title": title,
            "description": description,
            "url": f"{base_url}/media/img_{id_.hex}/original.{ContentType(content_type).extension}",
            "uploadedAt": uploaded_at,
            "thumbnails": thumbnails_of[id_],
            "tags": tags_of[id_],
            "albums": albums_of[id_],
        }
        for (
            id_, filename, original_filename, content_type, file_size, width, height, title, description, uploaded_at,
        ) in rows
    ]  # fmt: skip


async def connection(pool: Pool, rows: Rows, first: int, base_url: str) -> Answer:
    """A page of one row more than it shows."""
    nodes = await images(pool, rows[:first], base_url)
    return {"images": {"nodes": nodes, "pageInfo": {"hasNextPage": len(rows) > first}}}


async def page(pool: Pool, variables: Mapping[str, Any], base_url: str) -> Answer:
    """The newest images."""
    first = variables["first"]
    return await connection(pool, await pool.fetch(PAGE, first + 1), first, base_url)


async def tagged(pool: Pool, variables: Mapping[str, Any], base_url: str) -> Answer:
    """The newest images that have a tag."""
    first, [tag] = variables["first"], variables["tags"]
    tag_id = await pool.fetchval(TAG, tag.casefold())
    return await connection(pool, await pool.fetch(TAGGED, tag_id, first + 1), first, base_url)


async def one(pool: Pool, variables: Mapping[str, Any], base_url: str) -> Answer:
    """An image by its id."""
    rows = await pool.fetch(ONE, UUID(variables["id"].removeprefix("img_")))
    return {"image": (await images(pool, rows, base_url))[0] if rows else None}


async def nothing(_pool: Pool, _variables: Mapping[str, Any], _base_url: str) -> Answer:
    """No image at all."""
    return {"__typename": "Query"}


OPERATIONS: Mapping[str, Callable[[Pool, Mapping[str, Any], str], Awaitable[Answer]]] = {
    "Page": page,
    "Tagged": tagged,
    "One": one,
    "Nothing": nothing,
}


class Application:
    """Answers operations by their names, whatever their text."""

    def __init__(self, url: str, *, keep: bool) -> None:
        self._url = url
        self._keep = keep
        self._kept: dict[bytes, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request (ASGI)."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        request = b""
        more = True
        while more:
            message = await receive()
            request += message.get("body", b"")
            more = message.get("more_body", False)
        body = self._kept.get(request) or await self._answer(request, dict(scope["headers"])[b"host"].decode())
        head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, request: bytes, host: str) -> bytes:
        asked = orjson.loads(request)
        data = await OPERATIONS[asked["operationName"]](self._pool, asked["variables"], f"http://{host}")
        body = orjson.dumps({"data": data})
        if self._keep:
            self._kept[request] = body
        return body

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with asyncpg.create_pool(
            self._url, min_size=POOL_SIZE, max_size=POOL_SIZE, reset=_nothing, server_settings={"jit": "off"}
        ) as self._pool:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


async def _nothing(_connection: object) -> None:
    """Statements leave nothing behind that the next user of a connection would have to be spared."""


if __name__ == "__main__":
    serve(Application(os.environ["PEER_DATABASE_URL"], keep="PEER_KEEP" in os.environ))
