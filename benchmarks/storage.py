"""How fast a file goes to S3 through the gallery, beside a plain loop over aiobotocore.

    python -m benchmarks.storage [--mebibytes 512] [--runs 5] [--seaweedfs]

The store is a process that throws everything away, so that the figures are those of the client; with `--seaweedfs` it
is the embedded server. All candidates take turns; shown are medians. CPU time is that of this process alone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import uvloop
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from pydantic import HttpUrl, SecretStr

from gallery.platform.storage.s3 import connect_storage
from gallery.settings import StorageSettings
from tests.services import S3Access, running_s3

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef

MEBIBYTE = 1024 * 1024
PART, CHUNK, IN_FLIGHT = 8 * MEBIBYTE, 64 * 1024, 3
BUCKET, KEY = "benchmark", "thumbnails/large/benchmark.webp"
BLOCK = random.Random(1).randbytes(16 * MEBIBYTE)  # noqa: S311 - bytes that do not compress, no secret

UNSIGNED = {"payload_signing_enabled": False}


async def source(size: int) -> AsyncIterator[bytes]:
    """The bytes of a file, as they come from a client."""
    for sent in range(0, size, CHUNK):
        yield BLOCK[sent % len(BLOCK) : sent % len(BLOCK) + CHUNK]


async def plain_loop(client: S3Client, size: int, body: Callable[[bytearray], Any]) -> None:
    """What one writes first: parts of the same size, as many in flight, no SHA-256, no care for failures."""
    upload_id = (await client.create_multipart_upload(Bucket=BUCKET, Key=KEY))["UploadId"]
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def send(number: int, part: bytearray) -> CompletedPartTypeDef:
        try:
            answer = await client.upload_part(
                Bucket=BUCKET, Key=KEY, UploadId=upload_id, PartNumber=number, Body=body(part)
            )
        finally:
            slots.release()
        return {"PartNumber": number, "ETag": answer["ETag"]}

    sending: list[asyncio.Task[CompletedPartTypeDef]] = []
    part = bytearray()
    async for chunk in source(size):
        part += chunk
        if len(part) == PART:
            await slots.acquire()
            sending.append(asyncio.create_task(send(len(sending) + 1, part)))
            part = bytearray()
    parts = await asyncio.gather(*sending)
    await client.complete_multipart_upload(Bucket=BUCKET, Key=KEY, UploadId=upload_id, MultipartUpload={"Parts": parts})


@dataclass(slots=True)
class Candidate:
    """A way to store a file, and how long it took."""

    name: str
    run: Callable[[], Awaitable[object]]
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    async def measure(self) -> None:
        """Stores one file."""
        began, cpu_began = time.perf_counter(), time.process_time()
        await self.run()
        self.seconds.append(time.perf_counter() - began)
        self.cpu_seconds.append(time.process_time() - cpu_began)

    def report(self, size: int) -> str:
        """A line of the table."""
        speeds = [size / MEBIBYTE / seconds for seconds in self.seconds]
        cpu = statistics.median(self.cpu_seconds) * 1024 * MEBIBYTE / size
        return (
            f"{self.name:45} {statistics.median(speeds):6.0f} MiB/s"
            f" ({min(speeds):.0f} to {max(speeds):.0f}), {cpu:.2f} s of CPU per GiB"
        )


class Sink(asyncio.Protocol):
    """Just enough of S3 to be uploaded to, and nothing kept."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins with nothing read."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self._head = bytearray()
        self._left = 0
        self._request: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        """Answers once a whole request is there."""
        if self._left:  # a client waits for its answer before it asks again, so nothing follows a body
            self._left -= len(data)
        else:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._head = bytearray()
            lines = bytes(head).split(b"\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
            self._request = lines[0].split()
            self._left = int(headers.get(b"content-length", 0)) - len(body)
            if b"expect" in headers:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self._left:
            self._answer(*self._request[:2])

    def _answer(self, method: bytes, target: bytes) -> None:
        body = b""
        if method == b"POST":
            root = b"Initiate" if b"uploads" in target else b"Complete"
            body = b"<%sMultipartUploadResult><UploadId>1</UploadId></%sMultipartUploadResult>" % (root, root)
        self._transport.write(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: %d\r\n\r\n%s' % (len(body), body))


async def serve_sink() -> None:
    """Runs the sink until it is terminated; its first line is its port."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


@contextlib.asynccontextmanager
async def running_sink() -> AsyncIterator[S3Access]:
    """A sink in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.storage", "--sink", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        yield S3Access(endpoint_url=f"http://127.0.0.1:{port}", access_key_id="key", secret_access_key="secret")  # noqa: S106 - no secret
    finally:
        process.terminate()
        await process.wait()


async def compare(access: S3Access, size: int, runs: int) -> None:
    """Prints the table."""

    def client(config: AioConfig) -> contextlib.AbstractAsyncContextManager[S3Client]:
        creating: contextlib.AbstractAsyncContextManager[S3Client] = get_session().create_client(
            "s3",
            endpoint_url=access.endpoint_url,
            aws_access_key_id=access.access_key_id,
            aws_secret_access_key=access.secret_access_key,
            region_name=access.region,
            config=config,
        )
        return creating

    settings = StorageSettings(
        endpoint_url=HttpUrl(access.endpoint_url),
        bucket=BUCKET,
        access_key_id=SecretStr(access.access_key_id),
        secret_access_key=SecretStr(access.secret_access_key),
        part_size_bytes=PART,
        parts_in_flight=IN_FLIGHT,
    )
    without_checksum = AioConfig(s3=UNSIGNED, request_checksum_calculation="when_required")
    async with (
        client(AioConfig()) as default,
        client(AioConfig(s3=UNSIGNED)) as unsigned,
        client(without_checksum) as bare,
        connect_storage(settings) as storage,
    ):
        await default.create_bucket(Bucket=BUCKET)
        candidates = [
            Candidate("plain loop, client as it comes, bytes", lambda: plain_loop(default, size, bytes)),
            Candidate("plain loop, unsigned, CRC-32, bytes", lambda: plain_loop(unsigned, size, bytes)),
            Candidate("plain loop, unsigned, CRC-32, BytesIO", lambda: plain_loop(unsigned, size, io.BytesIO)),
            Candidate("plain loop, unsigned, no checksum, bytes", lambda: plain_loop(bare, size, bytes)),
            Candidate("plain loop, unsigned, no checksum, BytesIO", lambda: plain_loop(bare, size, io.BytesIO)),
            Candidate("gallery", lambda: storage.put(KEY, source(size), content_type="image/webp")),
        ]
        for _ in range(runs):
            for candidate in candidates:
                await candidate.measure()
    for candidate in candidates:
        print(candidate.report(size))


async def main(arguments: argparse.Namespace) -> None:
    """Starts a store and compares."""
    if arguments.sink:
        await serve_sink()
        return
    with tempfile.TemporaryDirectory(prefix="gallery-benchmark-", ignore_cleanup_errors=True) as folder:
        async with running_s3(Path(folder)) if arguments.seaweedfs else running_sink() as access:
            await compare(access, arguments.mebibytes * MEBIBYTE, arguments.runs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebibytes", type=int, default=512, help="size of the file; a multiple of 8")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seaweedfs", action="store_true", help="store in the embedded SeaweedFS")
    parser.add_argument("--sink", action="store_true", help=argparse.SUPPRESS)
    uvloop.run(main(parser.parse_args()))
