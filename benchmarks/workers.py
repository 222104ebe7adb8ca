"""What more processes bring: the same gallery with one and with several, on the same database and all cores.

    python -m benchmarks workers [--workers 1 2] [--queries page tagged image] [--connections 1 16]
                                 [--rounds 15] [--seconds 1] [--images 10000] [--json FILE]

The load and the servers behind share the cores with them, as on a host of one's own. Ratios are to the first number.
Only on a machine that does nothing else do rates say what more processes bring: on a busy one each of them gets a share
of its own. Processor time, theirs and that of everything beside them, tells it anywhere.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial

import psutil

from benchmarks import nested
from benchmarks.harness import REQUEST, Report, Store, between, parser, place, run
from benchmarks.load import ask
from benchmarks.processes import Cores, MeasuredProcess, gallery_command, serving
from benchmarks.queries import Query, compare, queries
from benchmarks.rounds import Subject, take_turns
from benchmarks.seed import Amounts, seed


def others_cpu_seconds(servers: Mapping[str, MeasuredProcess]) -> float:
    """Processor time so far of everything that takes part, but the galleries: the load, PostgreSQL, Valkey."""
    this = psutil.Process()
    times = [each.cpu_times() for each in (this, *this.children(recursive=True))]
    everything = float(sum(each.user + each.system for each in times))
    return everything - sum(each.cpu_seconds() for each in servers.values())


async def measure_query(
    query: Query,
    servers: Mapping[str, MeasuredProcess],
    options: argparse.Namespace,
    report: Report,
    warm_up_seconds: float,
) -> None:
    """Lets all take turns; also says what a request costs beside them, which bounds what more processes can bring."""
    expected = {name: await ask(server.port, query.request()) for name, server in servers.items()}
    compare(query, expected)
    for name, server in servers.items():
        await nested.warm_up(server, query, expected[name], max(options.connections), warm_up_seconds)
    for count in options.connections:
        subjects = [
            Subject(name, partial(nested.turn, server, query, expected[name], count, options.seconds))
            for name, server in servers.items()
        ]
        began = others_cpu_seconds(servers)
        comparison = await take_turns(subjects, options.rounds)
        requests = sum(turn.units for turns in comparison.turns.values() for turn in turns)
        beside_ms = (others_cpu_seconds(servers) - began) / requests * 1000
        title = f"{query.title} over {count} connections, {options.rounds} rounds of {options.seconds} s"
        report.add(title, REQUEST, comparison, servers, beside_cpu_ms=beside_ms)
        print(f"  load, PostgreSQL and Valkey: {beside_ms:.2f} CPU ms/request")


async def measure(options: argparse.Namespace, *, warm_up_seconds: float = nested.WARM_UP_CPU_SECONDS) -> Report:
    """Starts a gallery for each number of processes, lets them take turns, and reports.

    Raises:
        WrongAnswerError: if one says something else than the first, or lacks images.
    """
    report = Report("workers")
    asked = queries(options.images)
    async with place(Store.SINK, Cores.shared()) as here, AsyncExitStack() as opened:
        await seed(here.database_url, Amounts(images=options.images))
        servers = {}
        for count in options.workers:
            command = gallery_command({**here.gallery_settings(), "GALLERY_SERVER__WORKERS": str(count)})
            folder = here.folder / f"workers-{count}"
            servers[f"workers {count}"] = await opened.enter_async_context(serving(command, folder, here.cores.server))
        for name in options.queries:
            await measure_query(asked[name], servers, options, report, warm_up_seconds * max(options.workers))
        report.write(options.json)
    return report


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, from the command line by default."""
    options = parser(__doc__, rounds=15)
    options.add_argument("--workers", nargs="+", type=between(1, 8), default=[1, 2], metavar="N", help="(1 2)")
    names = queries(images=1)
    options.add_argument(
        "--queries",
        nargs="+",
        choices=tuple(names),
        default=["page"],
        metavar="NAME",
        help=f"any of {', '.join(names)} (page)",
    )
    options.add_argument("--connections", nargs="+", type=between(1, 256), default=[1, 16], metavar="N", help="(1 16)")
    options.add_argument("--seconds", type=between(1, 60), default=1, help="how long a turn takes (1)")
    options.add_argument("--images", type=between(1, 1_000_000), default=10_000, help="images in the database (10,000)")
    return options.parse_args(arguments)


async def main() -> None:
    """Measures as the command line says."""
    await measure(options_of())


if __name__ == "__main__":
    run(main)
