"""Images with tags, albums and thumbnails: the gallery, cached and not, against other servers on the same database.

    python -m benchmarks nested [--peers mercurius-jit yoga-jit yoga apollo strawberry sql bytes]
                                [--gallery no-cache cached responses responses-valkey]
                                [--queries page tagged image] [--connections 1 16]
                                [--rounds 15] [--seconds 1] [--images 10000] [--json FILE]

All servers hold the same data and answer the same queries; every answer is checked. Ratios are to the first peer.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from benchmarks import load
from benchmarks.harness import REQUEST, Report, Store, between, parser, place, run
from benchmarks.load import ask
from benchmarks.processes import BenchmarkError, MeasuredProcess, serving
from benchmarks.queries import Query, compare, queries
from benchmarks.rounds import Subject, Turn, take_turns
from benchmarks.seed import Amounts, seed
from benchmarks.servers import GALLERIES, MAX_SERVERS, PEERS, commands

WARM_UP_CPU_SECONDS = 3.0
WARM_UP_TURNS = 10


async def turn(server: MeasuredProcess, query: Query, expected: bytes, connections: int, seconds: float) -> Turn:
    """One turn of a server."""
    cpu_began = server.cpu_seconds()
    done = await load.load(server.port, query.request(), expected=expected, connections=connections, seconds=seconds)
    return Turn(
        units=len(done.latencies_seconds),
        seconds=done.seconds,
        cpu_seconds=server.cpu_seconds() - cpu_began,
        latencies_seconds=done.latencies_seconds,
    )


async def warm_up(server: MeasuredProcess, query: Query, expected: bytes, connections: int, cpu_seconds: float) -> None:
    """Lets a server work for so much processor time: by the clock, compilers would get less of it on a busy machine."""
    until = server.cpu_seconds() + cpu_seconds
    for _ in range(WARM_UP_TURNS):
        if server.cpu_seconds() >= until:
            break
        await turn(server, query, expected, connections, 1)


async def measure_query(
    query: Query,
    servers: Mapping[str, MeasuredProcess],
    options: argparse.Namespace,
    report: Report,
    warm_up_seconds: float,
) -> None:
    """Compares the answers of all servers, warms them up, and lets them take turns."""
    expected = {name: await ask(server.port, query.request()) for name, server in servers.items()}
    compare(query, expected)
    for name, server in servers.items():
        await warm_up(server, query, expected[name], max(options.connections), warm_up_seconds)
    for count in options.connections:
        subjects = [
            Subject(name, partial(turn, server, query, expected[name], count, options.seconds))
            for name, server in servers.items()
        ]
        title = f"{query.title} over {count} connections, {options.rounds} rounds of {options.seconds} s"
        sizes = {name: len(body) for name, body in expected.items()}
        report.add(title, REQUEST, await take_turns(subjects, options.rounds), servers, body_bytes=sizes)


@asynccontextmanager
async def running(
    options: argparse.Namespace, peer_environment: Mapping[str, str]
) -> AsyncIterator[dict[str, MeasuredProcess]]:
    """The chosen servers on a database of so many images; all are ended.

    Raises:
        BenchmarkError: if there are more of them than PostgreSQL has connections for, or one does not start.
    """
    if not 1 <= len(options.peers) + len(options.gallery) <= MAX_SERVERS:
        message = f"Choose between 1 and {MAX_SERVERS} servers at a time."
        raise BenchmarkError(message)
    async with place(Store.SINK) as here, AsyncExitStack() as servers:
        await seed(here.database_url, Amounts(images=options.images))
        chosen = commands(here, options.peers, options.gallery, peer_environment)
        yield {
            name: await servers.enter_async_context(serving(command, here.folder / name, here.cores.server))
            for name, command in chosen.items()
        }


async def measure(
    options: argparse.Namespace,
    *,
    warm_up_seconds: float = WARM_UP_CPU_SECONDS,
    peer_environment: Mapping[str, str] | None = None,
) -> Report:
    """Starts everything, lets the servers take turns, and reports.

    Raises:
        BenchmarkError: as `running`.
        WrongAnswerError: if a server says something else than the first, or lacks images.
    """
    report = Report("nested")
    asked = queries(options.images)
    async with running(options, peer_environment or {}) as servers:
        for name in options.queries:
            await measure_query(asked[name], servers, options, report, warm_up_seconds)
        report.write(options.json)
    return report


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, from the command line by default."""
    options = parser(__doc__, rounds=15)
    for name, choices, default in (
        ("peers", PEERS, ["strawberry"]),
        ("gallery", GALLERIES, list(GALLERIES)),
        ("queries", queries(images=1), ["page"]),
    ):
        help_ = f"any of {', '.join(choices)} ({' '.join(default)})"
        options.add_argument(
            f"--{name}", nargs="*", choices=tuple(choices), default=default, metavar="NAME", help=help_
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
