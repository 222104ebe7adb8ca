"""An S3 that misbehaves as a test tells it to, for what a sound store does not do on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from multidict import CIMultiDictProxy

UPLOAD_ID = "upload-1"

Answer = Callable[[web.Request], web.StreamResponse]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request that arrived whole."""

    operation: str
    headers: CIMultiDictProxy[str]
    body: bytes


@dataclass(slots=True)
class ScriptedS3:
    """Answers every call with success, except those for which the script has something else, used one by one."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    script: dict[str, list[Answer]] = field(default_factory=dict)
    writer: str | None = None
    """Which put the object that is there comes from; None if there is no object."""

    @property
    def operations(self) -> list[str]:
        return [request.operation for request in self.seen]

    def bodies(self, operation: str) -> list[bytes]:
        return [request.body for request in self.seen if request.operation == operation]

    def answers(self, operation: str, answers: Iterable[Answer]) -> None:
        self.script[operation] = list(answers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        operation = operation_of(request)
        body = await request.read()
        self.seen.append(Seen(operation=operation, headers=request.headers, body=body))
        if answers := self.script.get(operation):
            return answers.pop(0)(request)
        return self.success(operation, request)

    def success(self, operation: str, request: web.Request) -> web.Response:
        match operation:
            case "CreateMultipartUpload":
                return _xml("InitiateMultipartUploadResult", f"<UploadId>{UPLOAD_ID}</UploadId>")
            case "CompleteMultipartUpload":
                return _xml("CompleteMultipartUploadResult", "<ETag>etag</ETag>")
            case "PutObject":
                self.writer = request.headers["x-amz-meta-written-by"]
            case "HeadObject":
                if self.writer is None:
                    return web.Response(status=404)
                return web.Response(headers={"x-amz-meta-written-by": self.writer})
            case "DeleteObjects":
                self.writer = None
                return _xml("DeleteResult", "")
        return web.Response(headers={"ETag": '"etag"'})

    def store_and_hang_up(self, request: web.Request) -> web.Response:
        """Does what it is asked for; the answer is lost."""
        self.success(operation_of(request), request)
        return hang_up(request)


def hang_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def error(status: int, code: str) -> Answer:
    body = f"<Error><Code>{code}</Code><Message>As the test wants it.</Message></Error>"
    return lambda _request: web.Response(status=status, text=body, content_type="application/xml")


@asynccontextmanager
async def scripted_s3() -> AsyncIterator[ScriptedS3]:
    store = ScriptedS3()
    async with http_server(store.handle) as store.url:
        yield store


@asynccontextmanager
async def http_server(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A server on loopback that gives every request to the function; its address."""
    application = web.Application(client_max_size=1024**3)
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


_BY_QUERY = {
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("POST", "delete"): "DeleteObjects",
    ("PUT", "partNumber"): "UploadPart",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("GET", "uploadId"): "ListParts",
}


def operation_of(request: web.Request) -> str:
    """What S3 calls this call."""
    for (method, parameter), operation in _BY_QUERY.items():
        if request.method == method and parameter in request.query:
            return operation
    if request.match_info["path"].count("/") > 1:
        return f"{request.method.capitalize()}Object"
    return f"{request.method.capitalize()}Bucket"


def _xml(root: str, content: str) -> web.Response:
    return web.Response(text=f"<{root}>{content}</{root}>", content_type="application/xml")
