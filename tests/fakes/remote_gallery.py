"""A gallery and its storage behind one HTTP socket, in memory: what is sent is counted, what is answered scripted."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

PART_SIZE_BYTES = 5 * 1024 * 1024

Json = dict[str, Any]


@dataclass
class FakeUpload:
    """A staged upload."""

    id: str
    given: Json
    parts: dict[int, bytes] = field(default_factory=dict)
    completed: bool = False

    def content(self) -> bytes:
        return b"".join(self.parts[number] for number in sorted(self.parts))


class RemoteGallery:
    """Answers operations by their names.

    `instead[name]` holds answers that are given in place of the next ones: a status, a code of a payload error, a whole
    answer to a stranger, or None for a connection that is cut. `PUT` is the name of sending a part. With
    `completed_by_another`, uploads turn out to be complete, with these bytes, when the address of a part is asked for.
    """

    def __init__(self) -> None:
        self.url = ""
        self.heard: list[str] = []
        self.inputs: list[Json] = []
        self.shown: dict[str, set[str | None]] = defaultdict(set)
        """What requests had in their header `Authorization`, by their names."""
        self.received_bytes = 0
        self.images: dict[str, str] = {}
        self.uploads: dict[str, FakeUpload] = {}
        self.by_key: dict[str, str] = {}
        self.urls_made = 0
        self.completed_by_another: bytes | None = None
        self.instead: dict[str, deque[int | str | Json | None]] = defaultdict(deque)
        self._operations: dict[str, Callable[[Json], Any]] = {
            "ImagesByChecksums": self._images_by_checksums,
            "CreateUpload": self._create_upload,
            "Upload": self._upload,
            "PartUrls": self._part_urls,
            "CompleteUpload": self._complete_upload,
            "CreateAlbum": self._create_album,
            "TagImages": self._tag_images,
            "AddImagesToAlbum": self._add_images_to_album,
        }

    def holds(self, content: bytes) -> str:
        """Makes an image of some bytes; its id."""
        return self.images.setdefault(hashlib.sha256(content).hexdigest(), f"img_{len(self.images)}")

    def heard_of(self, name: str) -> int:
        """How often an operation came."""
        return self.heard.count(name)

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[None]:
        """Listens on the loopback address, by default on a free port."""
        app = web.Application(client_max_size=1024**3)
        app.router.add_post("/graphql", self._graphql)
        app.router.add_put("/parts/{upload}/{number}", self._put)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()

    async def _graphql(self, request: web.Request) -> web.StreamResponse:
        if request.content_type == "application/json":
            body, content = await request.json(), None
        else:
            body, content = await self._multipart(request)
        match = re.match(r"\s*\w+ (\w+)", body["query"])
        assert match is not None
        name = match[1]
        given = body["variables"].get("input", body["variables"])
        self.inputs.append(given)
        if (scripted := self._scripted(name, request)) is not None:
            return scripted
        value = self._operations[name](given) if content is None else self._upload_image(given, content)
        return web.json_response({"data": {name: value}})

    async def _multipart(self, request: web.Request) -> tuple[Json, bytes]:
        assert request.headers["X-GraphQL-CSRF"] == "1"
        form = await request.post()
        operations, file = form["operations"], form["0"]
        assert isinstance(operations, str)
        assert isinstance(file, web.FileField)
        assert form["map"] == '{"0": ["variables.input.file"]}'
        content = file.file.read()
        self.received_bytes += len(content)
        return json.loads(operations), content

    async def _put(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        self.received_bytes += len(content)
        if (scripted := self._scripted("PUT", request)) is not None:
            return scripted
        upload = self.uploads.get(request.match_info["upload"])
        if upload is None:
            return web.Response(status=404, text="<Error><Code>NoSuchUpload</Code></Error>")
        upload.parts[int(request.match_info["number"])] = content
        return web.Response()

    def _scripted(self, name: str, request: web.Request) -> web.Response | None:
        self.shown[name].add(request.headers.get("Authorization"))
        self.heard.append(name)
        if not self.instead[name]:
            return None
        answer = self.instead[name].popleft()
        if isinstance(answer, int):
            return web.Response(status=answer, text="<Error><Code>Scripted</Code></Error>")
        if isinstance(answer, dict):
            return web.json_response(answer, status=401)
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.json_response({"data": {name: _refused(answer)}})

    # Operations

    def _images_by_checksums(self, given: Json) -> list[Json | None]:
        found = [self.images.get(checksum) for checksum in given["checksums"]]
        return [None if image_id is None else {"id": image_id} for image_id in found]

    def _create_upload(self, given: Json) -> Json:
        key = given["idempotencyKey"]
        upload_id = self.by_key.setdefault(key, f"upl_{len(self.by_key)}")
        self.uploads.setdefault(upload_id, FakeUpload(upload_id, given))
        return {"upload": {"id": upload_id}, "errors": []}

    def _upload(self, given: Json) -> Json | None:
        upload = self.uploads.get(given["id"])
        if upload is None:
            return None
        return {
            "id": upload.id,
            "state": "COMPLETED" if upload.completed else "OPEN",
            "fileSize": upload.given["fileSize"],
            "partSize": PART_SIZE_BYTES,
            "parts": [{"number": number, "size": len(content)} for number, content in upload.parts.items()],
        }

    def _part_urls(self, given: Json) -> Json | None:
        upload = self.uploads.get(given["id"])
        if upload is None:
            return None
        if self.completed_by_another is not None:
            upload.parts, upload.completed = {1: self.completed_by_another}, True
            return {"partUrls": []}
        self.urls_made += len(given["numbers"])
        return {"partUrls": [{"url": f"{self.url}/parts/{upload.id}/{number}"} for number in given["numbers"]]}

    def _complete_upload(self, given: Json) -> Json:
        upload = self.uploads.get(given["id"])
        if upload is None:
            return _refused("NOT_FOUND")
        if len(upload.content()) != upload.given["fileSize"]:
            return _refused("UPLOAD_INCOMPLETE")
        upload.completed = True
        return self._stored(upload.content())

    def _upload_image(self, given: Json, content: bytes) -> Json:
        assert given["file"] is None
        return self._stored(content)

    def _create_album(self, given: Json) -> Json:
        return {"album": {"id": f"alb_{given['title']}"}, "errors": []}

    def _tag_images(self, given: Json) -> Json:
        return {"errors": []}

    def _add_images_to_album(self, given: Json) -> Json:
        return {"errors": []}

    def _stored(self, content: bytes) -> Json:
        created = hashlib.sha256(content).hexdigest() not in self.images
        image_id = self.holds(content)
        return {"outcome": "CREATED" if created else "EXISTING", "image": {"id": image_id}, "errors": []}


def _refused(code: str) -> Json:
    return {"outcome": None, "image": None, "errors": [{"code": code, "message": f"It is {code}.", "field": ["id"]}]}
