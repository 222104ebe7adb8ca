"""Whether a page takes longer the more images there are, and the deeper it lies: first pages and one far down.

    python -m benchmarks depth [--small 10000] [--large 1000000] [--depth 500000]
                               [--rounds 15] [--seconds 1] [--json FILE]

Two galleries without the cache, each with a database of its own, take turns with one request at a time: the first page
of the small one, the first of the large one, and the page of the large one behind the image at that depth, by its
cursor. Ratios of median times are to the first page of the small one.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import orjson

from benchmarks import load
from benchmarks.harness import REQUEST, Report, Store, between, parser, place, run
from benchmarks.load import WrongAnswerError, ask, post_request
from benchmarks.processes import MeasuredProcess, gallery_command, serving
from benchmarks.rounds import Subject, Turn, take_turns
from benchmarks.scale import PAGE
from benchmarks.seed import Amounts, identifier, seed
from benchmarks.seed_rows import moment_of
from gallery.domain.pages import Direction, ImageFilter, ImageSortField, Position
from gallery.web.graphql.pagination import Listing

FIRST = 50
_LISTING = Listing.of("images", ImageFilter(), ImageSortField.UPLOADED_AT, Direction.DESC)


def page_request(after: str | None = None) -> bytes:
    """The request for 50 images, the newest ones or those behind a cursor."""
    return post_request(orjson.dumps({"query": PAGE, "variables": {"first": FIRST, "after": after}}))


def cursor_at(images: int, depth: int) -> str:
    """The cursor of the image that about so many are newer than.

    They are numbered from the oldest on, and one in fifty is deleted.
    """
    position = images - 1 - depth
    return _LISTING.cursor(Position(moment_of(position), identifier(1, position)))


@asynccontextmanager
async def gallery_of(images: int, sizes: argparse.Namespace) -> AsyncIterator[MeasuredProcess]:
    """A gallery with so many images."""
    async with place(Store.SINK) as here:
        await seed(here.database_url, Amounts(images=images, tags=sizes.tags, albums=sizes.albums))
        command = gallery_command({**here.gallery_settings(), "GALLERY_CACHE__ENABLED": "false"})
        async with serving(command, here.folder / f"gallery-{images}", here.cores.server) as server:
            yield server


async def subject(name: str, server: MeasuredProcess, request: bytes, seconds: float) -> Subject:
    """A page, whose first answer is what the others are compared with."""
    expected = await ask(server.port, request)
    require_whole_page(expected)
    return Subject(name, partial(turn, server, request, expected, seconds))


def require_whole_page(answer: bytes) -> None:
    """Passes an answer with as many images as were asked for.

    Raises:
        WrongAnswerError: for any other.
    """
    content: dict[str, Any] = orjson.loads(answer)
    if "errors" in content or len(content["data"]["images"]["nodes"]) != FIRST:
        raise WrongAnswerError(answer[:1000].decode())


async def turn(server: MeasuredProcess, request: bytes, expected: bytes, seconds: float) -> Turn:
    """One request after the other for so long."""
    began = server.cpu_seconds()
    done = await load.load(server.port, request, expected=expected, connections=1, seconds=seconds)
    return Turn(
        units=len(done.latencies_seconds),
        seconds=done.seconds,
        cpu_seconds=server.cpu_seconds() - began,
        latencies_seconds=done.latencies_seconds,
    )


async def measure(options: argparse.Namespace) -> Report:
    """Fills both databases, lets the pages take turns, and reports."""
    report = Report("depth")
    async with AsyncExitStack() as opened:
        small = await opened.enter_async_context(gallery_of(options.small, options))
        large = await opened.enter_async_context(gallery_of(options.large, options))
        few, many, deep = f"first of {options.small:,}", f"first of {options.large:,}", f"behind {options.depth:,}"
        subjects = [
            await subject(few, small, page_request(), options.seconds),
            await subject(many, large, page_request(), options.seconds),
            await subject(deep, large, page_request(cursor_at(options.large, options.depth)), options.seconds),
        ]
        await take_turns(subjects, 2)  # warms up
        comparison = await take_turns(subjects, options.rounds)
        ratios = {name: comparison.ratio(name, _median_seconds) for name in (many, deep)}
        report.add(
            f"{FIRST} images, one request at a time, {options.rounds} rounds of {options.seconds} s",
            REQUEST,
            comparison,
            {few: small, many: large, deep: large},
            median_ratios=ratios,
        )
    for name, ratio in ratios.items():
        print(f"  {name} : {few} = {ratio.median:.2f} [{ratio.least:.2f}, {ratio.most:.2f}] in median time")
    report.write(options.json)
    return report


def _median_seconds(one: Turn) -> float:
    return statistics.median(one.latencies_seconds)


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, from the command line by default."""
    options = parser(__doc__, rounds=15)
    options.add_argument("--small", type=between(FIRST, 1_000_000), default=10_000, help="images (10,000)")
    options.add_argument("--large", type=between(FIRST, 5_000_000), default=1_000_000, help="images (1,000,000)")
    options.add_argument("--depth", type=between(0, 5_000_000), default=500_000, help="images before it (500,000)")
    options.add_argument("--tags", type=between(2, 1_000_000), default=50_000, help="in each (50,000)")
    options.add_argument("--albums", type=between(1, 1_000_000), default=10_000, help="in each (10,000)")
    options.add_argument("--seconds", type=between(1, 60), default=1, help="how long a turn takes (1)")
    return options.parse_args(arguments)


async def main() -> None:
    """Measures as the command line says."""
    await measure(options_of())


if __name__ == "__main__":
    run(main)
