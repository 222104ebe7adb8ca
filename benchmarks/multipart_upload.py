"""What it costs to take a file in: from a uvicorn socket through the parser to a reader that discards the bytes.

Run from the root of the repository: `python -m benchmarks.multipart_upload [MEBIBYTES]`. The client runs in a process
of its own; times and memory are the server's.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import sys
import time
from multiprocessing import get_context

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gallery.settings import UploadSettings
from gallery.web.body import RequestBody
from gallery.web.multipart import MultipartRequest
from tests.graphql_server import listening
from tests.multipart_bodies import CONTENT_TYPE, END, file_map, operations, part

MEBIBYTE = 1024 * 1024


async def discard(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads one file and answers with its size."""
    limits = UploadSettings()
    async with MultipartRequest(RequestBody(scope, receive, limits), CONTENT_TYPE, limits) as request:
        content = await request.operations()
        size = sum([len(chunk) async for chunk in content["variables"]["file"].chunks()])
    await Response(str(size))(scope, receive, send)


def send_file(port: int, size_mebibytes: int) -> None:
    """Sends a file of zeros and checks that all of it was read."""
    beginning = operations() + file_map() + part("0", b"", filename="zeros")[:-2]
    size = size_mebibytes * MEBIBYTE
    length = len(beginning) + size + 2 + len(END)
    head = f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    piece = bytes(MEBIBYTE)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + beginning)
        for _ in range(size_mebibytes):
            connection.sendall(piece)
        connection.sendall(b"\r\n" + END)
        assert connection.makefile("rb").read().endswith(str(size).encode())


def peak_mebibytes() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def main() -> None:
    """Warms up with one mebibyte, then measures."""
    size_mebibytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    async with listening() as listener:
        listener.app = discard
        await send(listener.port, 1)
        before, began, cpu = peak_mebibytes(), time.perf_counter(), time.process_time()
        await send(listener.port, size_mebibytes)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    print(f"{size_mebibytes} MiB in {seconds:.2f} s, {cpu_seconds:.2f} s of them processor time of the server")
    print(f"peak memory grew by {peak_mebibytes() - before:.1f} MiB, from {before:.0f} MiB")


async def send(port: int, size_mebibytes: int) -> None:
    """Sends a file from another process."""
    process = get_context("spawn").Process(target=send_file, args=(port, size_mebibytes))
    process.start()
    await asyncio.to_thread(process.join)
    assert process.exitcode == 0


if __name__ == "__main__":
    asyncio.run(main())
