"""What all benchmarks of servers share: options, the servers that they stand on, tables, results as JSON."""

from __future__ import annotations

import argparse
import asyncio
import platform
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import psutil
import uvloop

from benchmarks.processes import MEBIBYTE, Cores, MeasuredProcess, pinned
from benchmarks.rounds import Comparison, Spread, Turn
from benchmarks.storage import running_sink
from gallery.platform.database.migrate import upgrade
from gallery.platform.embedded import EmbeddedServers, Endpoints, S3Endpoint, Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a benchmark happens: a folder of its own, cores, and the addresses of the servers that it asked for."""

    folder: Path
    cores: Cores
    endpoints: Endpoints

    @property
    def database_url(self) -> str:
        """That of a migrated database."""
        assert self.endpoints.database_url is not None
        return self.endpoints.database_url

    def gallery_settings(self) -> dict[str, str]:
        """What a gallery needs to use these servers."""
        settings = {"GALLERY_DATABASE__URL": self.database_url}
        if self.endpoints.cache_url is None:
            settings["GALLERY_CACHE__ENABLED"] = "false"
        else:
            settings["GALLERY_CACHE__URL"] = self.endpoints.cache_url
        return {**settings, **self.storage_settings()}

    def storage_settings(self) -> dict[str, str]:
        """What a gallery needs to use the object storage."""
        s3 = self.endpoints.s3
        assert s3 is not None
        return {
            "GALLERY_STORAGE__ENDPOINT_URL": s3.endpoint_url,
            "GALLERY_STORAGE__BUCKET": s3.bucket,
            "GALLERY_STORAGE__ADDRESSING_STYLE": "path",
            "GALLERY_STORAGE__ACCESS_KEY_ID": s3.access_key_id,
            "GALLERY_STORAGE__SECRET_ACCESS_KEY": s3.secret_access_key,
        }


class Store(StrEnum):
    """What objects go to: a real store, or one that throws them away, so that the figures are those of the server."""

    SEAWEEDFS = "seaweedfs"
    SINK = "sink"


@asynccontextmanager
async def place(store: Store, cores: Cores | None = None) -> AsyncIterator[Place]:
    """A place with servers of its own, which share the cores of the load; all of it is gone afterwards."""
    cores = cores or Cores.of_this_machine()
    services = set(Service) - ({Service.SEAWEEDFS} if store is Store.SINK else set())
    temporary = TemporaryDirectory(prefix="gallery-bench-", ignore_cleanup_errors=True)
    with pinned(cores.others), temporary as folder:
        async with await EmbeddedServers.start(Path(folder) / "data", services, exclusive=True) as servers:
            here = Place(folder=Path(folder), cores=cores, endpoints=servers.endpoints)
            await upgrade(here.database_url)
            if store is Store.SEAWEEDFS:
                yield here
                return
            async with running_sink() as access:
                sink = S3Endpoint(
                    endpoint_url=access.endpoint_url,
                    access_key_id=access.access_key_id,
                    secret_access_key=access.secret_access_key,
                )
                yield replace(here, endpoints=replace(here.endpoints, s3=sink))


def parser(summary: str | None, *, rounds: int) -> argparse.ArgumentParser:
    """The options of every benchmark."""
    options = argparse.ArgumentParser(description=summary, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=between(1, 200), default=rounds, help=f"turns of each subject ({rounds})")
    options.add_argument("--json", type=Path, help="write the results to this file")
    return options


def between(least: int, most: int) -> Callable[[str], int]:
    """Takes whole numbers in these bounds: no benchmark runs without end."""

    def whole_number(text: str) -> int:
        if not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between {least} and {most}")  # noqa: EM102, TRY003
        return int(text)

    return whole_number


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs a benchmark. SIGTERM ends it as Ctrl+C does: all servers are stopped."""

    async def interruptible() -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await main()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(interruptible())


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What a turn counts, and how the processor time for it is shown."""

    name: str
    cpu_label: str
    cpu_factor: float


REQUEST = Unit(name="request", cpu_label="CPU ms/request", cpu_factor=1000)
MIB = Unit(name="MiB", cpu_label="CPU s/GiB", cpu_factor=1024)


@dataclass(slots=True)
class Report:
    """The results of a benchmark: printed as they come, written as JSON at the end."""

    name: str
    results: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self, title: str, unit: Unit, comparison: Comparison, processes: Mapping[str, MeasuredProcess], **more: object
    ) -> None:
        """Prints a comparison, and keeps it."""
        print(f"\n{title}")
        head = f"  {'':24}{f'{unit.name}/s':>9} {'(least to most)':18}{unit.cpu_label:>16}{'p50 ms':>9}{'p99 ms':>9}"
        print(f"{head}{'idle MiB':>10}{'peak MiB':>10}")
        subjects = {}
        for name in comparison.turns:
            subjects[name] = self._subject(name, unit, comparison, processes[name])
        for name in list(comparison.turns)[1:]:
            rate, cpu = (subjects[name]["ratios"][key] for key in ("rate", "cpu_per_unit"))
            print(
                f"  {name} : {comparison.baseline} = {_ratio(rate)} in {unit.name}/s, "
                f"{_ratio(cpu)} in CPU time per {unit.name}"
            )
        self.results.append({"title": title, "unit": unit.name, "subjects": subjects, **more})

    def write(self, path: Path | None) -> None:
        """Writes everything, with the date and the machine, if a file is named."""
        if path is None:
            return
        machine = {
            "system": platform.platform(),
            "python": platform.python_version(),
            "cores": psutil.cpu_count(),
            "memory_mib": psutil.virtual_memory().total // MEBIBYTE,
            "load_average": psutil.getloadavg(),
        }
        content = {"benchmark": self.name, "at": datetime.now(UTC), "machine": machine, "results": self.results}
        path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))

    def _subject(self, name: str, unit: Unit, comparison: Comparison, process: MeasuredProcess) -> dict[str, Any]:
        """Prints a line, and gives what is kept of it."""
        rate = comparison.spread(name, lambda turn: turn.rate)
        cpu = comparison.spread(name, lambda turn: turn.cpu_per_unit)
        p50, p99 = comparison.latency_ms(name, 50), comparison.latency_ms(name, 99)
        idle, peak = process.idle_bytes, process.peak_bytes()
        print(
            f"  {name:24}{rate.median:9.1f} {f'({rate.least:.1f} to {rate.most:.1f})':18}"
            f"{cpu.median * unit.cpu_factor:16.2f}{_shown(p50)}{_shown(p99)}"
            f"{idle / MEBIBYTE:10.0f}{peak / MEBIBYTE:10.0f}"
        )
        return {
            "rate": rate,
            "cpu_per_unit_seconds": cpu,
            "p50_ms": p50,
            "p99_ms": p99,
            "cpu_seconds": sum(turn.cpu_seconds for turn in comparison.turns[name]),
            "idle_bytes": idle,
            "peak_bytes": peak,
            "ratios": {
                "rate": comparison.ratio(name, lambda turn: turn.rate),
                "cpu_per_unit": comparison.ratio(name, lambda turn: turn.cpu_per_unit),
            },
            "turns": [_without_latencies(turn) for turn in comparison.turns[name]],
        }


def _shown(latency_ms: float) -> str:
    return f"{latency_ms:9.2f}" if latency_ms else f"{'-':>9}"


def _ratio(spread: Spread) -> str:
    return f"{spread.median:.2f} [{spread.least:.2f}, {spread.most:.2f}]"


def _without_latencies(turn: Turn) -> dict[str, float]:
    return {"units": turn.units, "seconds": turn.seconds, "cpu_seconds": turn.cpu_seconds}
