"""A GraphQL endpoint on a real socket, over services in memory, and a client that sends exactly what it is told."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import strawberry
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry.schema.config import StrawberryConfig

from gallery.cli.http import Http
from gallery.cli.websockets import WebSockets
from gallery.domain.errors import GalleryError, NotFoundError
from gallery.domain.ports import StoredObject
from gallery.domain.records import Records
from gallery.services.uploads import UploadLimits, UploadService
from gallery.settings import ServerSettings, UploadSettings
from gallery.web.authentication import OPEN, Authentication, Sessions
from gallery.web.cookies import SessionCookies
from gallery.web.graphql.context import Info, UseCases
from gallery.web.graphql.endpoint import GraphQLEndpoint
from gallery.web.graphql.persisted import OperationSource
from gallery.web.graphql.scalars import SCALARS, Upload
from gallery.web.graphql.transport_ws import Limits
from gallery.web.graphql.uploads import UploadMutations
from gallery.web.graphql.websocket import WebSocketEndpoint
from gallery.web.origins import origin_check
from tests.fakes.albums import MemoryAlbumReader
from tests.fakes.documents import MemoryDocumentStore
from tests.fakes.gallery import MemoryGallery
from tests.fakes.images import MemoryImageReader
from tests.fakes.storage import MemoryObjectStorage
from tests.fakes.tags import MemoryTagReader

LIMITS = UploadSettings(
    max_file_size=1_000_000,
    max_files=3,
    max_field_size=4096,
    claim_timeout_seconds=0.3,
    drain_limit_bytes=2_000_000,
)
REPLY_TIMEOUT_SECONDS = 20
FLOOD_BYTES = 64 * 1024
MAX_SOCKET_OPERATIONS = 3


class WatchedStorage(MemoryObjectStorage):
    """Tells when the first bytes of an object came, and when an object was given up."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.given_up = asyncio.Event()

    async def put(self, storage_path: str, chunks: AsyncIterable[bytes], *, content_type: str) -> StoredObject:
        try:
            return await super().put(storage_path, self._watched(chunks), content_type=content_type)
        except BaseException:
            self.given_up.set()
            raise

    async def _watched(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self.begun.set()
            yield chunk


class Oddities:
    """What resolvers of the test schema wait for, and what became of them."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.ended: list[str] = []
        self.flooded = 0
        """How often `flood` was asked for more."""

    async def wait(self, name: str) -> str:
        self.begun.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.ended.append(f"{name} was cancelled")
            raise
        self.ended.append(f"{name} was finished")
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class OddUseCases(UseCases):
    oddities: Oddities


@strawberry.type
class Query:
    @strawberry.field
    def greeting(self, name: str = "world") -> str:
        return f"Hello, {name}!"

    @strawberry.field
    def twice(self, number: int) -> int:
        return 2 * number

    @strawberry.field
    def base_url(self, info: Info) -> str:
        return info.context.base_url

    @strawberry.field
    def failing(self) -> str | None:
        message = "the password of the database is hunter2"
        raise RuntimeError(message)

    @strawberry.field
    def fatal(self) -> str:
        message = "There is no such thing."
        raise NotFoundError(message)

    @strawberry.field
    async def patient(self, info: Info) -> str:
        return await _oddities(info).wait("query")


@strawberry.type
class Mutation(UploadMutations):
    """The gallery's own mutations for uploads, and some that treat files as none of the gallery does."""

    @strawberry.mutation
    async def patient(self, info: Info) -> str:
        return await _oddities(info).wait("mutation")

    @strawberry.mutation
    def ignore(self, file: Upload) -> str:
        return f"ignored {file.filename}"

    @strawberry.mutation
    async def read_some(self, info: Info, file: Upload) -> str:
        async for chunk in file.chunks():
            _oddities(info).ended.append(f"read {chunk[:4].decode()}")
            break
        message = "the resolver failed"
        raise RuntimeError(message)

    @strawberry.mutation
    async def read_backwards(self, files: list[Upload]) -> list[str]:
        """For each file, the last one first, its size or what went wrong."""
        return [await _size_or_code(file) for file in reversed(files)]


@strawberry.type
class Fussy:
    @strawberry.field
    def never(self) -> str | None:
        message = "There is no such thing."
        raise NotFoundError(message)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int) -> AsyncGenerator[int]:
        for number in range(1, to + 1):
            yield number

    @strawberry.subscription
    async def patient(self, info: Info) -> AsyncGenerator[str]:
        yield "begun"
        yield await _oddities(info).wait("subscription")

    @strawberry.subscription
    async def flood(self, info: Info) -> AsyncGenerator[str]:
        """Never ends, and takes no time."""
        oddities = _oddities(info)
        try:
            while True:
                await asyncio.sleep(0)
                oddities.flooded += 1
                yield "x" * FLOOD_BYTES
        finally:
            oddities.ended.append("flood")

    @strawberry.subscription
    async def broken(self) -> AsyncGenerator[int]:
        yield 1
        message = "the password of the database is hunter2"
        raise RuntimeError(message)

    @strawberry.subscription
    async def refused(self) -> AsyncGenerator[int]:
        message = "There is no such thing."
        raise NotFoundError(message)
        yield 1  # makes it a generator

    @strawberry.subscription
    async def choosy(self) -> AsyncGenerator[Fussy]:
        yield Fussy()


SCHEMA = strawberry.Schema(
    query=Query, mutation=Mutation, subscription=Subscription, config=StrawberryConfig(scalar_map=SCALARS)
)


def _oddities(info: Info) -> Oddities:
    assert isinstance(info.context.use_cases, OddUseCases)
    return info.context.use_cases.oddities


async def _size_or_code(file: Upload) -> str:
    try:
        return str(sum([len(chunk) async for chunk in file.chunks()]))
    except GalleryError as error:
        return error.code


class GraphQLServer:
    """The endpoint, what is behind it, and where it listens."""

    def __init__(self, port: int, limits: UploadSettings, *, is_open: bool = True) -> None:
        self.gallery = MemoryGallery()
        sessions = Sessions(known_by=self.gallery.authenticator, cookies=SessionCookies(ServerSettings()))
        authentication = OPEN if is_open else Authentication(self.gallery.authenticator, sessions=sessions)
        self._authentication = authentication
        self.storage = WatchedStorage()
        self.oddities = Oddities()
        self.port = port
        uploads = UploadService(
            unit_of_work=self.gallery.unit_of_work,
            storage=self.storage,
            inspector=self.gallery.inspector,
            verifier=self.gallery.verifier,
            intents=self.gallery.intents,
            recorder=self.gallery.recorder,
            limits=UploadLimits(max_file_size_bytes=limits.max_file_size, head_bytes=16),
        )
        images = MemoryImageReader(self.gallery.database)
        tags = MemoryTagReader(self.gallery.database)
        albums = MemoryAlbumReader(self.gallery.database)
        self.use_cases = OddUseCases(
            oddities=self.oddities,
            records=lambda _fields: Records(images=images, tags=tags, albums=albums),
            image_reader=images,
            tag_reader=tags,
            album_reader=albums,
            images=self.gallery.images,
            tags=self.gallery.tags,
            albums=self.gallery.albums,
            shares=self.gallery.shares,
            uploads=uploads,
            staged_uploads=self.gallery.staged_uploads,
            idempotency=self.gallery.idempotency,
            answers=self.gallery.answers,
            progress=self.gallery.progress,
            processed=self.gallery.processed,
            sweep=self.gallery.sweep,
            sweep_grace=timedelta(hours=1),
            accounts=self.gallery.accounts,
            tokens=self.gallery.tokens,
            authenticator=self.gallery.authenticator,
            people=self.gallery.people,
            share_links=self.gallery.share_links,
            shared=self.gallery.shared,
        )
        self.stopping = asyncio.Event()
        self.documents = MemoryDocumentStore()
        self.operations = OperationSource(SCHEMA, self.documents)
        self.endpoint = GraphQLEndpoint(
            SCHEMA,
            self.use_cases,
            limits,
            lambda connection: f"https://{connection.headers['host']}",
            authentication,
            stopping=self.stopping,
            operations=self.operations,
        )
        self.sockets = self.new_sockets()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whichever endpoint suits."""
        await (self.sockets if scope["type"] == "websocket" else self.endpoint)(scope, receive, send)

    def new_sockets(
        self, *, init_timeout_seconds: float = 20, operations: OperationSource | None = None
    ) -> WebSocketEndpoint:
        """An endpoint for WebSockets. It lets in pages of one origin."""
        return WebSocketEndpoint(
            schema=SCHEMA,
            operations=operations or self.operations,
            use_cases=self.use_cases,
            base_url=lambda connection: f"https://{connection.headers['host']}",
            authentication=self._authentication,
            is_allowed=origin_check(ServerSettings(cors_origins=("https://app.example",))),
            limits=Limits(
                init_timeout_seconds=init_timeout_seconds,
                max_message_bytes=LIMITS.max_field_size,
                max_operations=MAX_SOCKET_OPERATIONS,
            ),
            stopping=self.stopping,
        )

    @property
    def stored_sizes(self) -> list[int]:
        """The sizes of the objects that are stored."""
        return [len(stored.content) for stored in self.storage.objects.values()]

    def holds_nothing(self) -> bool:
        """Whether no object was ever stored whole, and no row written."""
        return self.storage.puts == 0 and not self.storage.objects and not self.gallery.tables.images

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[RawConnection]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield RawConnection(reader, writer)
        finally:
            writer.close()

    async def post(self, body: bytes, **headers: str) -> Reply:
        """Sends a multipart request with the header against CSRF, unless the headers say otherwise."""
        async with self.connection() as connection:
            await connection.send_head(**{"Content-Length": str(len(body)), **headers})
            await connection.send(body)
            return await connection.reply()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401  # whatever the server says
        return json.loads(self.body)

    @property
    def codes(self) -> list[str]:
        """The codes of the top-level errors."""
        return [error["extensions"]["code"] for error in self.json.get("errors", [])]


class RawConnection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send_head(self, target: str = "/graphql", method: str = "POST", **headers: str) -> None:
        """Sends a request line and headers; an empty value leaves a header out."""
        fields = {
            "Host": "gallery.example",
            "Content-Type": "multipart/form-data; boundary=----boundary-of-tests",
            "X-GraphQL-CSRF": "1",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value)]
        await self.send("\r\n".join([*lines, "", ""]).encode())

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def send_chunk(self, data: bytes) -> None:
        """In the chunked transfer coding; an empty chunk is the last."""
        await self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def end_sending(self) -> None:
        """Sends no more, but still listens."""
        self._writer.write_eof()

    def abort(self) -> None:
        """Goes away without a word."""
        self._writer.transport.abort()

    async def interim_status(self) -> int:
        """The status of an answer such as 100, which has neither headers nor a body."""
        async with asyncio.timeout(REPLY_TIMEOUT_SECONDS):
            return _status(await self._reader.readuntil(b"\r\n\r\n"))

    async def reply(self) -> Reply:
        async with asyncio.timeout(REPLY_TIMEOUT_SECONDS):
            head = await self._reader.readuntil(b"\r\n\r\n")
            _, *lines = head.decode("latin-1").strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await self._reader.readexactly(int(headers["content-length"]))
        return Reply(status=_status(head), headers=headers, body=body)


class Listener:
    """A server on a free port of the loopback address, for whichever application is put behind it."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self.port = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@asynccontextmanager
async def listening(*, ping_seconds: float = 20) -> AsyncIterator[Listener]:
    """Serves until the end of the context. WebSockets are asked that often whether anybody is there."""
    listener = Listener()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        listener.port = bound.getsockname()[1]
        config = uvicorn.Config(
            listener,
            log_level="warning",
            lifespan="off",
            http=Http,  # type: ignore[arg-type]  # of another base class: see there
            ws=WebSockets,
            ws_ping_interval=ping_seconds,
            ws_ping_timeout=ping_seconds,
            ws_per_message_deflate=False,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        while not server.started:  # noqa: ASYNC110  # uvicorn sets a flag and tells nobody
            await asyncio.sleep(0.01)
        yield listener
        server.should_exit = True
        await serving


@asynccontextmanager
async def graphql_server(
    listener: Listener, limits: UploadSettings = LIMITS, *, is_open: bool = True
) -> AsyncIterator[GraphQLServer]:
    """A fresh endpoint with nothing in it."""
    server = GraphQLServer(listener.port, limits, is_open=is_open)
    listener.app = server
    yield server
    server.oddities.go_on.set()
    await server.endpoint.settle()
    await server.sockets.settle()


def _status(head: bytes) -> int:
    return int(head.split(b" ", 2)[1])
