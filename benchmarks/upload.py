"""A large file, many small ones, several in one request, large ones at once: how fast, and in how much memory.

    python -m benchmarks upload --form-parser FOLDER [--cases large small] [--mebibytes 1024] [--rounds 3]
                                [--files 300] [--store sink] [--shared-cores]

Through the gallery, through plain Strawberry (one file in a request), and straight to S3. The case `first-call` tells
how much of a file had been sent when the gallery first called the storage.

Every answer is checked: size and SHA-256 of what was stored. A store that keeps what it gets keeps it until the end:
large files take three times their size on disk in each round.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import orjson

from benchmarks.first_call import measure_first_call
from benchmarks.forms import post
from benchmarks.harness import MIB, Place, Report, Store, between, parser, place, run
from benchmarks.jpeg_files import Files
from benchmarks.load import HOST, PATIENCE_SECONDS
from benchmarks.processes import (
    MEBIBYTE,
    BenchmarkError,
    Command,
    Cores,
    MeasuredProcess,
    TemporaryDiskWatch,
    gallery_command,
    module_command,
    serving,
    started,
)
from benchmarks.rounds import Comparison, Subject, Turn, take_turns

WARM_UP_BYTES = 16 * MEBIBYTE
FIRST_CALL = "first-call"
CASES = ("large", "small", "list", "at-once", FIRST_CALL)
GALLERY, STRAWBERRY, DIRECT = "gallery", "Strawberry", "aiobotocore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is stored in a turn: `files` of a size, by so many clients at a time, or all in one request."""

    title: str
    files: int
    size_bytes: int
    clients: int
    as_list: bool = False

    @property
    def mebibytes(self) -> float:
        """How much that is."""
        return self.files * self.size_bytes / MEBIBYTE


async def upload_turn(server: MeasuredProcess, files: Files, case: Case) -> Turn:
    """Uploads the files of a case over HTTP."""
    prepared = [files.another() for _ in range(case.files)]
    requests = iter([prepared] if case.as_list else [[file] for file in prepared])

    def client(connection: HTTPConnection, latencies: list[float]) -> None:
        for request in requests:  # shared by the clients: each takes the next one
            began = time.perf_counter()
            post(connection, request, files.size_bytes, as_list=case.as_list)
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
    at_a_time = case.files if case.as_list else case.clients
    order = orjson.dumps({"files": case.files, "size_bytes": case.size_bytes, "clients": at_a_time})
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
    form_parser = None if case.as_list else options.form_parser
    async with servers(here, form_parser, folder) as running, AsyncExitStack() as watching:
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
        direct = Comparison(turns={name: comparison.turns[name] for name in (DIRECT, GALLERY)})
        rate = direct.ratio(GALLERY, lambda turn: turn.rate)
        title = f"{case.title} to {options.store}, {options.rounds} rounds"
        more = {"temporary_disk_bytes": disk, "peak_over_idle_bytes": memory, "gallery_to_direct": asdict(rate)}
        report.add(title, MIB, comparison, running, **more)
        print(f"  {GALLERY} : {DIRECT} = {rate.median:.2f} [{rate.least:.2f}, {rate.most:.2f}] in MiB/s")
        for name in running:
            mebibytes = memory[name] / MEBIBYTE, disk[name] / MEBIBYTE
            print(f"  {name}: {mebibytes[0]:.0f} MiB of memory over idle, {mebibytes[1]:.0f} MiB of temporary disk")


def cases(options: argparse.Namespace) -> dict[str, Case]:
    """All there are, by their names."""
    large, small = options.mebibytes * MEBIBYTE, MEBIBYTE
    return {
        "large": Case(title=f"one file of {options.mebibytes} MiB", files=1, size_bytes=large, clients=1),
        "small": Case(
            title=f"{options.files} files of 1 MiB from 8 clients", files=options.files, size_bytes=small, clients=8
        ),
        "list": Case(
            title="10 files of 10 MiB in one request", files=10, size_bytes=10 * MEBIBYTE, clients=1, as_list=True
        ),
        "at-once": Case(title="8 files of 200 MiB at once", files=8, size_bytes=200 * MEBIBYTE, clients=8),
    }


async def measure(options: argparse.Namespace) -> Report:
    """Measures the cases that were asked for; all but one compare servers."""
    report = Report("upload")
    if options.form_parser is None:
        print("Strawberry is left out: name a folder with python-multipart by --form-parser (README.md says why).")
    cores = Cores.shared() if options.shared_cores else None
    if FIRST_CALL in options.cases:
        report.results.append(await measure_first_call(cores, options.rounds))
    if compared := [case for name, case in cases(options).items() if name in options.cases]:
        async with place(options.store, cores) as here:
            for case in compared:
                await measure_case(here, case, options, report)
    report.write(options.json)
    return report


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, from the command line by default."""
    options = parser(__doc__, rounds=3)
    options.add_argument("--cases", nargs="+", choices=CASES, default=CASES, help="what is uploaded (all)")
    options.add_argument("--mebibytes", type=between(1, 2000), default=1024, help="size of the large file (1024)")
    options.add_argument("--files", type=between(1, 5000), default=300, help="how many small files (300)")
    options.add_argument(
        "--store", choices=tuple(Store), default=Store.SEAWEEDFS, type=Store, help="what takes the bytes"
    )
    options.add_argument(
        "--shared-cores",
        action="store_true",
        help="pin nothing: a store that takes more processor time than the server then has as many cores",
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
