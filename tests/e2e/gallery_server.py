"""The gallery as people run it: the command in a process of its own, and what can be done to that process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx
import psutil

from tests.e2e.api import Api

ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(sys.executable).with_name("gallery")
NOT_INHERITED = "GALLERY_"

_READY_LINE = "The gallery is ready at "
_READY_SECONDS = 90
_END_SECONDS = 60
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended, and what it said."""

    exit_code: int
    output: str
    complaints: str


async def run_gallery(
    *arguments: str | Path, settings: Mapping[str, str] | None = None, typed: str | None = None
) -> Ended:
    """Runs a command of the gallery to its end; `typed` is what it finds on its standard input."""
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        *map(str, arguments),
        cwd=ROOT,
        env=environment(settings or {}),
        stdin=None if typed is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_READY_SECONDS):
            output, complaints = await process.communicate(None if typed is None else typed.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Ended(exit_code=process.returncode, output=output.decode(), complaints=complaints.decode())


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with these settings of the gallery, and none but these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return {**inherited, "NO_COLOR": "1", "COLUMNS": "200", **settings}


class GalleryServer:
    """A `gallery serve` (or `gallery worker`) that runs until it is told to stop, or is killed."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self.log = log
        self.url = ""

    @classmethod
    async def launch(
        cls, log: Path, *arguments: str | Path, settings: Mapping[str, str] | None = None, command: str = "serve"
    ) -> Self:
        """Starts the process, which writes its log to the end of the file, and waits for nothing."""
        with log.open("ab") as complaints:
            process = await asyncio.create_subprocess_exec(
                COMMAND,
                command,
                *map(str, arguments),
                cwd=ROOT,
                env=environment(settings or {}),
                stdout=asyncio.subprocess.PIPE,
                stderr=complaints,
            )
        return cls(process, log)

    @classmethod
    async def start(cls, log: Path, *arguments: str | Path, settings: Mapping[str, str] | None = None) -> Self:
        """Starts a server on a free port and waits until it is ready."""
        server = await cls.launch(log, "--port", "0", *arguments, settings=settings)
        try:
            line = await server.first_line()
            assert line.startswith(_READY_LINE), f"{line}\n{server.log_text()}"
            server.url = line.removeprefix(_READY_LINE)
            await server.until_ready()
        except BaseException:
            await server.kill()
            raise
        return server

    @property
    def graphql_url(self) -> str:
        return f"{self.url}/graphql"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.pid)

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    def log_text(self) -> str:
        return self.log.read_text()

    async def first_line(self) -> str:
        """What the process prints first; empty if it ends without a word."""
        assert self._process.stdout is not None
        async with asyncio.timeout(_READY_SECONDS):
            return (await self._process.stdout.readline()).decode().rstrip("\n")

    async def until_ready(self) -> None:
        async with asyncio.timeout(_READY_SECONDS), httpx.AsyncClient() as client:
            while (await client.get(f"{self.url}/readyz")).status_code != httpx.codes.OK:  # noqa: ASYNC110  # a poll
                await asyncio.sleep(_POLL_SECONDS)

    def terminate(self) -> None:
        """Asks it to stop, as service managers do."""
        self._process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """The exit code, once it has ended."""
        async with asyncio.timeout(_END_SECONDS):
            return await self._process.wait()

    async def stop(self) -> int:
        """Asks it to stop; the exit code."""
        self.terminate()
        return await self.ended()

    async def kill(self) -> None:
        """Ends it as the kernel does when memory runs out."""
        if self.running:
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()


@asynccontextmanager
async def serving(
    log: Path, *arguments: str | Path, settings: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[GalleryServer, Api]]:
    """A server and a client of it; afterwards it has stopped, in order unless the test has ended it already."""
    server = await GalleryServer.start(log, *arguments, settings=settings)
    try:
        async with Api(server.url) as api:
            yield server, api
        if server.running:
            assert await server.stop() == 0, server.log_text()
    finally:
        await server.kill()


@asynccontextmanager
async def working(log: Path, settings: Mapping[str, str]) -> AsyncIterator[GalleryServer]:
    """A `gallery worker`; afterwards it has stopped in order."""
    worker = await GalleryServer.launch(log, settings=settings, command="worker")
    try:
        assert await worker.first_line() == "The worker is ready.", worker.log_text()
        yield worker
        assert await worker.stop() == 0, worker.log_text()
    finally:
        await worker.kill()
