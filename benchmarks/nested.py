"""A page of 50 images with tags, albums and thumbnails: the gallery, cached and not, against plain Strawberry.

    python -m benchmarks nested [--rounds 15] [--seconds 1] [--images 10000] [--json FILE]

All servers hold the same data and answer the same query; every answer is checked.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial

import orjson

from benchmarks import load
from benchmarks.harness import REQUEST, Place, Report, Store, between, parser, place, run
from benchmarks.load import WrongAnswerError, ask, post_request
from benchmarks.processes import Command, MeasuredProcess, gallery_command, module_command, serving
from benchmarks.rounds import Subject, Turn, take_turns
from benchmarks.seed import Amounts, seed

QUERY = """
query Page($first: Int!) {
  images(first: $first) {
    nodes {
      id filename originalFilename contentType fileSize width height title description url uploadedAt
      thumbnails {
        small { url width height }
        medium { url width height }
        large { url width height }
      }
      tags { id name }
      albums { id title imageCount }
    }
    pageInfo { hasNextPage }
  }
}
"""
FIRST = 50
WARM_UP_SECONDS = 2.0
CONNECTIONS = (1, 16)


def request() -> bytes:
    """What every server is asked."""
    return post_request(orjson.dumps({"query": QUERY, "variables": {"first": FIRST}}))


def commands(here: Place, peer_environment: Mapping[str, str]) -> dict[str, Command]:
    """The servers by their names; the first is what the others are compared with."""
    settings = here.gallery_settings()
    peer = {"PEER_DATABASE_URL": here.database_url, **peer_environment}
    return {
        "Strawberry": module_command("benchmarks.peers.strawberry_plain", peer),
        "gallery, no cache": gallery_command({**settings, "GALLERY_CACHE__ENABLED": "false"}),
        "gallery, cached": gallery_command(settings),
    }


async def answers(ports: Mapping[str, int], images: int) -> dict[str, bytes]:
    """The answer of each server, as it came.

    Raises:
        WrongAnswerError: if one says something else than the first, or lacks images.
    """
    bodies = {name: await ask(port, request()) for name, port in ports.items()}
    contents = {name: orjson.loads(body) for name, body in bodies.items()}
    first, *others = contents
    nodes = len(contents[first]["data"]["images"]["nodes"])
    if nodes != min(FIRST, images):
        message = f"{first} answers with {nodes} images"
        raise WrongAnswerError(message)
    for name in others:
        if contents[name] != contents[first]:
            message = f"{name} does not answer what {first} answers: {difference(contents[name], contents[first])}"
            raise WrongAnswerError(message)
    return bodies


def difference(one: object, other: object, path: str = "$") -> str:
    """The first place in which two answers differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return next(difference(one[key], other[key], f"{path}.{key}") for key in one if one[key] != other[key])
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        unequal = next(index for index, (left, right) in enumerate(zip(one, other, strict=True)) if left != right)
        return difference(one[unequal], other[unequal], f"{path}[{unequal}]")
    return f"{path} is {one!r}, not {other!r}"


async def turn(server: MeasuredProcess, expected: bytes, connections: int, seconds: float) -> Turn:
    """One turn of a server."""
    cpu_began = server.cpu_seconds()
    done = await load.load(server.port, request(), expected=expected, connections=connections, seconds=seconds)
    return Turn(
        units=len(done.latencies_seconds),
        seconds=done.seconds,
        cpu_seconds=server.cpu_seconds() - cpu_began,
        latencies_seconds=done.latencies_seconds,
    )


async def measure(
    options: argparse.Namespace,
    *,
    connections: Sequence[int] = CONNECTIONS,
    warm_up_seconds: float = WARM_UP_SECONDS,
    peer_environment: Mapping[str, str] | None = None,
) -> Report:
    """Starts everything, lets the servers take turns, and reports."""
    report = Report("nested")
    async with place(Store.SINK) as here, AsyncExitStack() as servers:
        await seed(here.database_url, Amounts(images=options.images))
        running = {
            name: await servers.enter_async_context(serving(command, here.folder / name, here.cores.server))
            for name, command in commands(here, peer_environment or {}).items()
        }
        expected = await answers({name: server.port for name, server in running.items()}, options.images)
        for server, body in zip(running.values(), expected.values(), strict=True):
            await turn(server, body, 1, warm_up_seconds)
        for count in connections:
            subjects = [
                Subject(name, partial(turn, server, expected[name], count, options.seconds))
                for name, server in running.items()
            ]
            title = f"{FIRST} nested images over {count} connections, {options.rounds} rounds of {options.seconds} s"
            sizes = {name: len(body) for name, body in expected.items()}
            report.add(title, REQUEST, await take_turns(subjects, options.rounds), running, body_bytes=sizes)
        report.write(options.json)
    return report


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, from the command line by default."""
    options = parser(__doc__, rounds=15)
    options.add_argument("--seconds", type=between(1, 60), default=1, help="how long a turn takes (1)")
    options.add_argument("--images", type=between(1, 1_000_000), default=10_000, help="images in the database (10,000)")
    return options.parse_args(arguments)


async def main() -> None:
    """Measures as the command line says."""
    await measure(options_of())


if __name__ == "__main__":
    run(main)
