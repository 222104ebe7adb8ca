"""Uploads as Strawberry takes them by default.

Starlette parses the form into a spooled temporary file, then the resolver sends that file to the storage. It is sent
by the storage code of the gallery itself, so that what differs is the way to it. Settings: `GALLERY_STORAGE__…`.
"""

# Annotations stay evaluated: Strawberry reads them when it makes the schema.
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import strawberry
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.file_uploads import Upload

from benchmarks.peers.serving import serve
from gallery.platform.storage.s3 import connect_storage
from gallery.settings import Settings

READ_BYTES = 1024 * 1024


@strawberry.input
class UploadImageInput:
    """A file."""

    file: Upload


@strawberry.type
class Image:
    """What was stored."""

    file_size: int
    checksum: str


@strawberry.type
class UserError:
    """There is none: nothing is checked."""

    code: str


@strawberry.type
class UploadImagePayload:
    """Answer of `uploadImage`."""

    image: Image | None
    errors: list[UserError]


@strawberry.type
class Query:
    """A schema needs one."""

    answer: int = 42


@strawberry.type
class Mutation:
    """Uploads."""

    @strawberry.mutation
    async def upload_image(
        self,
        info: strawberry.Info[dict[str, Any], None],
        input: UploadImageInput,  # noqa: A002  # the name in the schema
    ) -> UploadImagePayload:
        """Sends the file on."""
        path = f"images/2026/01/{uuid4().hex}.jpg"
        file: Any = input.file  # Strawberry says bytes
        stored = await info.context["storage"].put(path, chunks(file), content_type="image/jpeg")
        return UploadImagePayload(image=Image(file_size=stored.size_bytes, checksum=stored.checksum), errors=[])


async def chunks(file: UploadFile) -> AsyncIterator[bytes]:
    """The file, read from its beginning."""
    while chunk := await file.read(READ_BYTES):
        yield chunk


class View(GraphQL[dict[str, Any], None]):
    """Strawberry's view with uploads switched on."""

    def __init__(self) -> None:
        super().__init__(strawberry.Schema(Query, mutation=Mutation), multipart_uploads_enabled=True)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> dict[str, Any]:  # noqa: ARG002  # as Strawberry calls it
        """The storage."""
        return {"storage": request.app.state.storage}


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Connects to the storage."""
    async with connect_storage(Settings().storage) as storage:
        app.state.storage = storage
        yield


if __name__ == "__main__":
    serve(Starlette(routes=[Route("/graphql", View())], lifespan=lifespan))
