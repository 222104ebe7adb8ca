"""Reads with some writes among them: 200 nested images, nine of ten requests read one, the tenth gives one a new title.

    python -m benchmarks mixed [--peers mercurius-jit-dropping mercurius-jit-cache mercurius-jit]
                               [--gallery no-cache cached responses]
                               [--connections 16] [--rounds 5] [--seconds 2] [--images 10000] [--json FILE]

Each server has images of its own, for it hears only of its own writes. A read that begins after a write was answered
and gives an older title is counted as stale, and told beside the ratios, which are to the first peer. All else in it
has to be what the first answer for that image said.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Final

import orjson

from benchmarks.harness import REQUEST, Report, between, parser, run
from benchmarks.load import HOST, WrongAnswerError, post_request
from benchmarks.nested import running
from benchmarks.processes import MeasuredProcess
from benchmarks.queries import IMAGE_BY_ID, difference
from benchmarks.rounds import Subject, Turn, take_turns
from benchmarks.seed import identifier
from benchmarks.seed_rows import is_deleted
from benchmarks.servers import GALLERIES, PEERS

DOCUMENTS: Final = 200
WRITE_SHARE: Final = 0.1
WARM_UP_CPU_SECONDS: Final = 5
WARM_UP_TURNS: Final = 20

UPDATE: Final = """mutation Update($id: ID!, $title: String!) {
  updateImage(input: {id: $id, title: $title}) { image { id title } errors { message } }
}"""
_LENGTH: Final = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)


Ask = Callable[[dict[str, object]], Awaitable[dict[str, dict[str, Any]]]]


@dataclass
class Titles:
    """The images of one server, and the number of the last title of each that was answered for."""

    ids: Sequence[str]
    given: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    rest: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the first answer for each image said beside its title."""
    stale: int = 0
    reads: int = 0

    def compare(self, id_: str, image: Mapping[str, Any]) -> None:
        """Passes if all but the title is as in the first answer for this image.

        Raises:
            WrongAnswerError: if not; it says where they differ.
        """
        rest = {name: value for name, value in image.items() if name != "title"}
        first = self.rest.setdefault(id_, rest)
        if rest != first:
            message = f"{id_} is not what it was: {difference(rest, first)}"
            raise WrongAnswerError(message)

    def check(self, title: str, least: int) -> None:
        """Counts a title that is older than one known before it was asked for."""
        self.reads += 1
        number = int(title.removeprefix("title ")) if title.startswith("title ") else 0
        self.stale += number < least


class Client:
    """One connection, which sends one request at a time."""

    def __init__(self, titles: Titles, random: Random) -> None:
        self._titles = titles
        self._random = random
        self.latencies: list[float] = []

    async def run(self, port: int, until: float) -> None:
        """Asks until the time is over."""
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            while time.perf_counter() < until:
                began = time.perf_counter()
                act = self._write if self._random.random() < WRITE_SHARE else self._read
                await act(self._random.choice(self._titles.ids), partial(exchange, reader, writer))
                self.latencies.append(time.perf_counter() - began)
        finally:
            writer.close()

    async def _read(self, id_: str, ask: Ask) -> None:
        least = self._titles.answered[id_]
        data = await ask({"query": IMAGE_BY_ID, "operationName": "One", "variables": {"id": id_}})
        self._titles.compare(id_, data["image"])
        self._titles.check(data["image"]["title"], least)

    async def _write(self, id_: str, ask: Ask) -> None:
        self._titles.given[id_] += 1
        number = self._titles.given[id_]
        variables = {"id": id_, "title": f"title {number}"}
        data = await ask({"query": UPDATE, "operationName": "Update", "variables": variables})
        if data["updateImage"]["errors"]:
            raise WrongAnswerError(str(data))
        if self._titles.given[id_] == number:  # else nobody knows which of two was done last
            self._titles.answered[id_] = number


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: dict[str, object]
) -> dict[str, dict[str, Any]]:
    """The data of an answer.

    Raises:
        WrongAnswerError: if it is not 200, or holds errors.
    """
    writer.write(post_request(orjson.dumps(content)))
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    body = await reader.readexactly(int(length[1]) if length else 0)
    answer = orjson.loads(body) if body else {}
    if not head.startswith(b"HTTP/1.1 200") or "errors" in answer:
        raise WrongAnswerError(repr((head + body)[:300]))
    data: dict[str, dict[str, Any]] = answer["data"]
    return data


async def turn(server: MeasuredProcess, titles: Titles, connections: int, seconds: float) -> Turn:
    """One turn of a server."""
    clients = [Client(titles, Random(number)) for number in range(connections)]  # noqa: S311  # the same for all
    cpu_began, began = server.cpu_seconds(), time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(client.run(server.port, began + seconds))
    latencies = tuple(latency for client in clients for latency in client.latencies)
    return Turn(
        units=len(latencies),
        seconds=time.perf_counter() - began,
        cpu_seconds=server.cpu_seconds() - cpu_began,
        latencies_seconds=latencies,
    )


async def warm_up(server: MeasuredProcess, titles: Titles, connections: int, cpu_seconds: float) -> None:
    """Lets a server work for so much processor time, as `nested` does; for 20 seconds at most."""
    until = server.cpu_seconds() + cpu_seconds
    for _ in range(WARM_UP_TURNS):
        if server.cpu_seconds() >= until:
            break
        await turn(server, titles, connections, 1)


def titles_of(place: int, images: int) -> Titles:
    """The images of the server in this place."""
    living = [number for number in range(images) if not is_deleted(number)]
    own = living[place * DOCUMENTS : (place + 1) * DOCUMENTS]
    return Titles(ids=[f"img_{identifier(1, number).hex}" for number in own])


async def measure(options: argparse.Namespace) -> Report:
    """Starts everything, lets the servers take turns, and says who gave stale answers.

    Raises:
        BenchmarkError: as `nested.running`.
        WrongAnswerError: if an answer holds errors.
    """
    report = Report("mixed")
    async with running(options, {}) as servers:
        titles = {name: titles_of(place, options.images) for place, name in enumerate(servers)}
        for name, server in servers.items():
            await warm_up(server, titles[name], options.connections, options.warm_up)
        subjects = [
            Subject(name, partial(turn, server, titles[name], options.connections, options.seconds))
            for name, server in servers.items()
        ]
        title = f"{DOCUMENTS} nested images, 10 % writes, over {options.connections} connections"
        report.add(title, REQUEST, await take_turns(subjects, options.rounds), servers)
        stale = {name: found.stale / max(1, found.reads) for name, found in titles.items()}
        for name, share in stale.items():
            print(f"  {name}: {'keeps right answers' if not share else f'{share:.1%} of its answers were stale'}")
        report.results[-1]["stale_share"] = stale
        report.write(options.json)
    return report


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, from the command line by default."""
    options = parser(__doc__, rounds=5)
    for name, choices, default in (
        ("peers", PEERS, ["mercurius-jit-dropping", "mercurius-jit-cache"]),
        ("gallery", GALLERIES, ["cached", "responses"]),
    ):
        help_ = f"any of {', '.join(choices)} ({' '.join(default)})"
        options.add_argument(
            f"--{name}", nargs="*", choices=tuple(choices), default=default, metavar="NAME", help=help_
        )
    options.add_argument("--connections", type=between(1, 256), default=16, metavar="N", help="(16)")
    options.add_argument("--seconds", type=between(1, 60), default=2, help="how long a turn takes (2)")
    options.add_argument(
        "--warm-up",
        type=between(0, 60),
        default=WARM_UP_CPU_SECONDS,
        help="processor seconds before the first turn (5)",
    )
    options.add_argument("--images", type=between(2000, 1_000_000), default=10_000, help="in the database (10,000)")
    return options.parse_args(arguments)


async def main() -> None:
    """Measures as the command line says."""
    await measure(options_of())


if __name__ == "__main__":
    run(main)
