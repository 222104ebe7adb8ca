"""A large file, and many small ones: through the gallery, through plain Strawberry, and straight to S3.

    python -m benchmarks upload --form-parser FOLDER [--mebibytes 1024] [--rounds 3] [--files 300] [--store sink]

Every answer is checked: size and SHA-256 of what was stored. A store that keeps what it gets keeps it until the end:
the large file takes three times its size on disk in each round.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPConnection
from itertools import count
from pathlib import Path

import orjson
import pyvips

from benchmarks.harness import MIB, Place, Report, Store, between, parser, place, run
from benchmarks.load import HOST, NAMED_HOST, PATIENCE_SECONDS, WrongAnswerError
from benchmarks.processes import (
    MEBIBYTE,
    BenchmarkError,
    Command,
    MeasuredProcess,
    TemporaryDiskWatch,
    gallery_command,
    module_command,
    serving,
    started,
)
from benchmarks.rounds import Subject, Turn, take_turns

QUERY = (
    "mutation Upload($input: UploadImageInput!) "
    "{ uploadImage(input: $input) { image { fileSize checksum } errors { code } } }"
)
BOUNDARY = "benchmark-of-uploads"
UNIQUE_BYTES = 16
END_OF_IMAGE = b"\xff\xd9"
WARM_UP_BYTES = 16 * MEBIBYTE
GALLERY, STRAWBERRY, DIRECT = "gallery", "Strawberry", "aiobotocore"

_NUMBERS = count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is stored in a turn: `files` of a size, sent by so many clients at a time."""

    title: str
    files: int
    size_bytes: int
    clients: int

    @property
    def mebibytes(self) -> float:
        """How much that is."""
        return self.files * self.size_bytes / MEBIBYTE


class Files:
    """JPEG files of one size, no two of which are the same: the gallery keeps none twice.

    As in photographs nearly all of it is coded picture, with its end behind it: random bytes, 0xff with stuffed zeros.
    """

    def __init__(self, size_bytes: int) -> None:
        jpeg = bytes(pyvips.Image.black(640, 480).jpegsave_buffer()).removesuffix(END_OF_IMAGE)
        random_bytes = random.Random(5).randbytes(MEBIBYTE)  # noqa: S311  # no secret
        block = random_bytes.replace(b"\xff", b"\xff\x00")[:MEBIBYTE]
        filling = size_bytes - len(jpeg) - UNIQUE_BYTES - len(END_OF_IMAGE)
        whole, rest = divmod(filling, MEBIBYTE)
        self.size_bytes = size_bytes
        self._common = [jpeg, *[block] * whole, block[:rest]]
        self._hash = hashlib.sha256()
        for piece in self._common:
            self._hash.update(piece)

    def another(self) -> tuple[list[bytes], str]:
        """The pieces of a new file, and its SHA-256."""
        last = next(_NUMBERS).to_bytes(UNIQUE_BYTES, "big") + END_OF_IMAGE
        whole = self._hash.copy()
        whole.update(last)
        return [*self._common, last], whole.hexdigest()


def form(file: Sequence[bytes]) -> tuple[list[bytes], int]:
    """The body of a GraphQL multipart request in pieces, and its length in bytes."""
    operations = orjson.dumps({"query": QUERY, "variables": {"input": {"file": None}}})
    fields = {b"operations": operations, b"map": b'{"0":["variables.input.file"]}'}
    line = f"--{BOUNDARY}".encode()
    head = b"".join(
        line + b'\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n' + value + b"\r\n"
        for name, value in fields.items()
    )
    file_head = b'\r\nContent-Disposition: form-data; name="0"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    pieces = [head + line + file_head, *file, b"\r\n" + line + b"--\r\n"]
    return pieces, sum(map(len, pieces))


def post(connection: HTTPConnection, file: Sequence[bytes], checksum: str, size_bytes: int) -> None:
    """Uploads a file on a connection that is kept open.

    Raises:
        WrongAnswerError: if the answer is not that exactly this file was stored.
    """
    pieces, length = form(file)
    headers = {
        "Host": NAMED_HOST,
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(length),
        "Apollo-Require-Preflight": "1",
    }
    connection.request("POST", "/graphql", body=iter(pieces), headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    stored = {"image": {"fileSize": size_bytes, "checksum": checksum}, "errors": []}
    if answer.status != 200 or orjson.loads(body) != {"data": {"uploadImage": stored}}:
        message = f"{answer.status} {body[:500]!r} for a file of {size_bytes} bytes with SHA-256 {checksum}"
        raise WrongAnswerError(message)


async def upload_turn(server: MeasuredProcess, files: Files, case: Case) -> Turn:
    """Uploads the files of a case over HTTP."""
    prepared = iter([files.another() for _ in range(case.files)])

    def client(connection: HTTPConnection, latencies: list[float]) -> None:
        for file, checksum in prepared:  # shared by the clients: each takes the next one
            began = time.perf_counter()
            post(connection, file, checksum, files.size_bytes)
            latencies.append(time.perf_counter() - began)

    connections = [HTTPConnection(HOST, server.port, timeout=PATIENCE_SECONDS) for _ in range(case.clients)]
    latencies: list[float] = []
    cpu_began, began = server.cpu_seconds(), time.perf_counter()
    try:
        await asyncio.gather(*(asyncio.to_thread(client, connection, latencies) for connection in connections))
    finally:
        for connection in connections:
            connection.close()
    return Turn(
        units=case.mebibytes,
        seconds=time.perf_counter() - began,
        cpu_seconds=server.cpu_seconds() - cpu_began,
        latencies_seconds=tuple(latencies),
    )


async def direct_turn(peer: MeasuredProcess, case: Case) -> Turn:
    """Has the files of a case stored without any HTTP before it."""
    order = orjson.dumps({"files": case.files, "size_bytes": case.size_bytes, "clients": case.clients})
    stdin, stdout = peer.process.stdin, peer.process.stdout
    assert stdin is not None
    assert stdout is not None
    cpu_began, began = peer.cpu_seconds(), time.perf_counter()
    stdin.write(order + b"\n")
    answer = await stdout.readline()
    if answer != b"stored\n":
        message = f"{DIRECT} failed: {peer.log}"
        raise BenchmarkError(message)
    return Turn(units=case.mebibytes, seconds=time.perf_counter() - began, cpu_seconds=peer.cpu_seconds() - cpu_began)


def commands(here: Place, form_parser: Path | None) -> dict[str, Command]:
    """The servers by their names."""
    gallery = {GALLERY: gallery_command(here.gallery_settings())}
    if form_parser is None:
        return gallery
    environment = {**here.storage_settings(), "PYTHONPATH": str(form_parser.absolute())}
    return {STRAWBERRY: module_command("benchmarks.peers.strawberry_upload", environment), **gallery}


@asynccontextmanager
async def servers(here: Place, form_parser: Path | None, folder: Path) -> AsyncIterator[dict[str, MeasuredProcess]]:
    """All that take turns, by their names; the first is what the others are compared with."""
    await asyncio.to_thread(folder.mkdir)
    direct = module_command("benchmarks.peers.s3_direct", here.storage_settings())
    async with AsyncExitStack() as stack:
        running = {
            name: await stack.enter_async_context(serving(command, folder / name, here.cores.server))
            for name, command in commands(here, form_parser).items()
        }
        running[DIRECT] = await stack.enter_async_context(started(direct, folder / DIRECT, here.cores.server))
        yield running


async def take_turn(process: MeasuredProcess, name: str, files: Files, case: Case) -> Turn:
    """One turn of one of them."""
    return await (direct_turn(process, case) if name == DIRECT else upload_turn(process, files, case))


async def measure_case(here: Place, case: Case, options: argparse.Namespace, report: Report) -> None:
    """Starts all that take turns anew, so that the peak of their memory is of this case."""
    folder = here.folder / f"{case.files}x{case.size_bytes}"
    files, warm_up = Files(case.size_bytes), replace(case, size_bytes=min(case.size_bytes, WARM_UP_BYTES), files=2)
    async with servers(here, options.form_parser, folder) as running, AsyncExitStack() as watching:
        for name, process in running.items():
            await take_turn(process, name, Files(warm_up.size_bytes), warm_up)
            process.rest()
        watches = {
            name: await watching.enter_async_context(TemporaryDiskWatch(process)) for name, process in running.items()
        }
        subjects = [Subject(name, partial(take_turn, process, name, files, case)) for name, process in running.items()]
        comparison = await take_turns(subjects, options.rounds)
        disk = {name: watch.peak_bytes for name, watch in watches.items()}
        memory = {name: process.peak_bytes() - process.idle_bytes for name, process in running.items()}
        title = f"{case.title}, {options.rounds} rounds"
        report.add(title, MIB, comparison, running, temporary_disk_bytes=disk, peak_over_idle_bytes=memory)
        for name in running:
            mebibytes = memory[name] / MEBIBYTE, disk[name] / MEBIBYTE
            print(f"  {name}: {mebibytes[0]:.0f} MiB of memory over idle, {mebibytes[1]:.0f} MiB of temporary disk")


async def measure(options: argparse.Namespace) -> Report:
    """Measures both cases."""
    report = Report("upload")
    if options.form_parser is None:
        print("Strawberry is left out: name a folder with python-multipart by --form-parser (README.md says why).")
    large = Case(
        title=f"one file of {options.mebibytes} MiB to {options.store}",
        files=1,
        size_bytes=options.mebibytes * MEBIBYTE,
        clients=1,
    )
    small = Case(
        title=f"{options.files} files of 1 MiB from 8 clients to {options.store}",
        files=options.files,
        size_bytes=MEBIBYTE,
        clients=8,
    )
    async with place(options.store) as here:
        await measure_case(here, large, options, report)
        await measure_case(here, small, options, report)
    report.write(options.json)
    return report


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, from the command line by default."""
    options = parser(__doc__, rounds=3)
    options.add_argument("--mebibytes", type=between(1, 2000), default=1024, help="size of the large file (1024)")
    options.add_argument("--files", type=between(1, 5000), default=300, help="how many small files (300)")
    options.add_argument(
        "--store", choices=tuple(Store), default=Store.SEAWEEDFS, type=Store, help="what takes the bytes"
    )
    options.add_argument(
        "--form-parser", type=Path, help="folder with python-multipart, for Strawberry (see README.md)"
    )
    return options.parse_args(arguments)


async def main() -> None:
    """Measures as the command line says."""
    await measure(options_of())


if __name__ == "__main__":
    run(main)
