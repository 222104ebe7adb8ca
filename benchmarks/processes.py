"""Servers under measurement: each a process of its own on a processor core of its own, ended by its pid."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

READY_SECONDS = 60
STOP_SECONDS = 15
POLL_SECONDS = 0.02
MEBIBYTE = 1024 * 1024

_URL = re.compile(r"http://127\.0\.0\.1:(\d+)")


class BenchmarkError(Exception):
    """Why nothing was measured; for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Which processor cores do what, so that load and server do not take each other's time."""

    server: frozenset[int]
    others: frozenset[int]

    @classmethod
    def shared(cls) -> Self:
        """All cores for everybody, as the system gives them."""
        return cls(server=frozenset(), others=frozenset())

    @classmethod
    def of_this_machine(cls) -> Self:
        """The first core for the server under measurement, the rest for the load and all other servers.

        With a single core, or where processes cannot be pinned, everything shares what there is.
        """
        if not hasattr(os, "sched_getaffinity"):
            return cls.shared()
        first, *rest = sorted(os.sched_getaffinity(0))
        return cls(server=frozenset({first}), others=frozenset(rest or [first]))


def pin(pid: int, cores: Collection[int]) -> None:
    """Keeps a process, and what it starts from now on, on these cores."""
    if cores:
        os.sched_setaffinity(pid, cores)


@contextmanager
def pinned(cores: frozenset[int]) -> Iterator[None]:
    """Keeps this process, and what it starts meanwhile, on these cores."""
    before = os.sched_getaffinity(0) if cores else set[int]()
    pin(0, cores)
    try:
        yield
    finally:
        pin(0, before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How to start a server that prints its address, `http://127.0.0.1:PORT`, once it answers."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    """Settings; of this process's own environment, no setting of a gallery is handed on."""


def gallery_command(settings: Mapping[str, str]) -> Command:
    """The gallery on a free port, without a worker: what is measured is the server alone."""
    return Command(
        arguments=[str(Path(sys.executable).with_name("gallery")), "serve", "--port", "0"],
        environment={"GALLERY_WORKER__EMBEDDED": "false", "GALLERY_LOG__LEVEL": "warning", **settings},
    )


def module_command(name: str, environment: Mapping[str, str]) -> Command:
    """A module of the benchmarks as a program."""
    return Command(arguments=[sys.executable, "-m", name], environment=environment)


class MeasuredProcess:
    """A process whose use of the machine is known. Its files (log, temporary files) are in its folder."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.process = process
        self._psutil = psutil.Process(process.pid)
        self._folder = folder
        self.port = 0
        self.idle_bytes = 0
        """Resident memory when `rest` was called last."""

    @property
    def log(self) -> str:
        """The end of what it wrote to standard error."""
        return (self._folder / "log").read_text(errors="replace")[-1000:]

    def cpu_seconds(self) -> float:
        """Processor time so far, in user mode and in the kernel, with that of its own processes."""
        times = [each.cpu_times() for each in self._tree()]
        return float(sum(each.user + each.system for each in times))

    def rest(self) -> None:
        """Notes what it takes while it has nothing to do."""
        self.idle_bytes = self.resident_bytes()

    def resident_bytes(self) -> int:
        """Resident memory now, with that of its own processes."""
        return sum(each.memory_info().rss for each in self._tree())

    def peak_bytes(self) -> int:
        """The most resident memory that it ever had, as the kernel counts it (`VmHWM`; Linux alone tells)."""
        status = Path(f"/proc/{self.process.pid}/status")
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
        return int(found[1]) * 1024 if found else self._psutil.memory_info().rss

    def temporary_bytes(self) -> int:
        """The size of its open temporary files; those without a name (O_TMPFILE) count too. Linux alone tells."""
        total = 0
        for descriptor in Path(f"/proc/{self.process.pid}/fd").glob("*"):
            with suppress(OSError):  # closed meanwhile
                path = str(descriptor.readlink())
                if path.startswith(f"{self._folder}/") and path != str(self._folder / "log"):
                    total += descriptor.stat().st_size
        return total

    async def ready(self) -> None:
        """Waits until it has printed its address.

        Raises:
            BenchmarkError: if it ends or keeps silent.
        """
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(READY_SECONDS):
                line = (await self.process.stdout.readline()).decode()
        except TimeoutError:
            line = ""
        found = _URL.search(line)
        if found is None:
            message = f"A server did not start; it said {line!r}, and in its log:\n{self.log}"
            raise BenchmarkError(message)
        self.port = int(found[1])

    async def stop(self) -> None:
        """Ends it, by force if it does not end by itself."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self.process.wait()
            except BaseException as error:
                with suppress(ProcessLookupError):
                    self.process.kill()
                await self.process.wait()
                if not isinstance(error, TimeoutError):
                    raise

    def _tree(self) -> list[psutil.Process]:
        return [self._psutil, *self._psutil.children(recursive=True)]


@asynccontextmanager
async def started(command: Command, folder: Path, cores: frozenset[int]) -> AsyncIterator[MeasuredProcess]:
    """The process, pinned; it is ended in any case."""
    folder.mkdir()  # noqa: ASYNC240  # nothing is being measured yet
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GALLERY_")}
    with (folder / "log").open("wb") as log, pinned(cores):  # threads that it starts at once are pinned too
        process = await asyncio.create_subprocess_exec(
            *command.arguments,
            env={**inherited, "TMPDIR": str(folder), **command.environment},
            cwd=Path(__file__).parents[1],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    measured = MeasuredProcess(process, folder)
    try:
        yield measured
    except Exception as error:
        if measured.log:
            error.add_note(f"The log of {folder.name} ends with:\n{measured.log}")
        raise
    finally:
        await measured.stop()


@asynccontextmanager
async def serving(command: Command, folder: Path, cores: frozenset[int]) -> AsyncIterator[MeasuredProcess]:
    """A server that answers, on a port of its own."""
    async with started(command, folder, cores) as server:
        await server.ready()
        server.rest()
        yield server


class TemporaryDiskWatch:
    """Looks again and again how much temporary disk a process takes; `peak_bytes` is the most that it saw."""

    def __init__(self, process: MeasuredProcess) -> None:
        self._process = process
        self.peak_bytes = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _watch(self) -> None:
        while True:
            self.peak_bytes = max(self.peak_bytes, self._process.temporary_bytes())
            await asyncio.sleep(POLL_SECONDS)
