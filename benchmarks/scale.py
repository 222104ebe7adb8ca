"""Pages, filters and counts of a large gallery, through its API: a million images, 50,000 tags, 10,000 albums.

    python -m benchmarks scale [--images 1000000] [--tags 50000] [--albums 10000] [--seconds 2] [--json FILE]

One request at a time and no cache, so that every answer comes from PostgreSQL. Every answer is checked.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from benchmarks import load
from benchmarks.harness import Store, between, place, run
from benchmarks.load import WrongAnswerError, ask, post_request
from benchmarks.processes import gallery_command, serving
from benchmarks.seed import Amounts, identifier, seed
from benchmarks.seed_rows import moment_of, tag_name
from gallery.domain.ids import AlbumId, TagId
from gallery.domain.pages import Direction, ImageFilter, ImageSortField, Position
from gallery.web.graphql.ids import album_global_id, tag_global_id
from gallery.web.graphql.pagination import Listing

PAGE = """
query Page($filter: ImageFilter, $sort: ImageSort, $first: Int, $after: String, $last: Int, $before: String) {
  images(filter: $filter, sort: $sort, first: $first, after: $after, last: $last, before: $before) {
    nodes { id title url uploadedAt }
    pageInfo { hasNextPage endCursor }
  }
}
"""
COUNT = "query Count($filter: ImageFilter) { images(filter: $filter) { totalCount } }"
NESTED = """
{ images(first: 50) { totalCount nodes {
    id title url thumbnails { small { url } } tags { name imageCount } albums { title imageCount }
} } }
"""
TAGS = "query Tags($text: String) { tags(first: 50, text: $text) { totalCount nodes { id name imageCount } } }"
ALBUMS = """
query Albums($sort: AlbumSort, $text: String) { albums(first: 50, sort: $sort, text: $text) {
    totalCount nodes { id title imageCount cover { url } images(first: 3) { nodes { id } } }
} }
"""
NODE = "query Node($id: ID!) { node(id: $id) { ... on %s { images(first: 50) { totalCount nodes { id title } } } } }"
STATS = "{ stats { imageCount tagCount albumCount totalSize contentTypes { contentType imageCount totalSize } } }"

Request = tuple[str, dict[str, Any]]


def filters(amounts: Amounts) -> dict[str, dict[str, Any]]:
    """What lists are narrowed by; tags and albums of a low number are common and large."""
    common, second, rare = tag_name(0), tag_name(1), tag_name(amounts.tags - 1)
    album = album_global_id(AlbumId(identifier(3, amounts.albums // 2)))
    middle, day_later = moment_of(amounts.images // 2), moment_of(amounts.images // 2 + 360)
    return {
        "all": {},
        "common tag": {"tags": [common]},
        "rare tag": {"tags": [rare]},
        "any of two tags": {"tags": [common, rare]},
        "both of two tags": {"tags": [common, second], "tagMode": "ALL"},
        "album": {"albumId": album},
        "text, common": {"text": "harbour"},
        "text, rare": {"text": str(amounts.images - 7)},
        "text, two letters": {"text": "ha"},
        "text, nowhere": {"text": "京都"},
        "JPEG": {"contentTypes": ["JPEG"]},
        "GIF": {"contentTypes": ["GIF"]},
        "a day": {"uploadedFrom": middle.isoformat(), "uploadedTo": day_later.isoformat()},
        "since the middle": {"uploadedFrom": middle.isoformat()},
        "tag, type and time": {"tags": [common], "contentTypes": ["PNG"], "uploadedFrom": middle.isoformat()},
    }


def requests(amounts: Amounts) -> dict[str, Request]:
    """What is asked, by its name."""
    by_filter = filters(amounts)
    listing = Listing.of("images", ImageFilter(), ImageSortField.UPLOADED_AT, Direction.DESC)
    middle = listing.cursor(Position(moment_of(amounts.images // 2), identifier(1, amounts.images // 2)))
    asked: dict[str, Request] = {
        "newest, in the middle": (PAGE, {"first": 50, "after": middle}),
        "newest, last page": (PAGE, {"last": 50}),
        "newest, before the middle": (PAGE, {"last": 50, "before": middle}),
    }
    for name, wanted in by_filter.items():
        for field in ImageSortField:
            asked[f"{field.value.lower()}: {name}"] = (PAGE, {"filter": wanted, "sort": {"field": field}, "first": 50})
    asked |= {f"count: {name}": (COUNT, {"filter": wanted}) for name, wanted in by_filter.items()}
    return asked | {
        "nested page": (NESTED, {}),
        "tags": (TAGS, {}),
        "tags by text": (TAGS, {"text": "zürich"}),
        "albums": (ALBUMS, {}),
        "albums by title": (ALBUMS, {"sort": {"field": "TITLE"}}),
        "albums by text": (ALBUMS, {"text": "harbour"}),
        "a tag's images": (NODE % "Tag", {"id": tag_global_id(TagId(identifier(2, 0)))}),
        "an album's images": (NODE % "Album", {"id": album_global_id(AlbumId(identifier(3, amounts.albums // 2)))}),
        "statistics": (STATS, {}),
    }


async def latencies_ms(port: int, asked: Request, seconds: float) -> list[float]:
    """How long each answer took; the first one is what the others are compared with.

    Raises:
        WrongAnswerError: if there are errors in the answer, or it changes.
    """
    query, variables = asked
    request = post_request(orjson.dumps({"query": query, "variables": variables}))
    expected = await ask(port, request)
    if "errors" in orjson.loads(expected):
        raise WrongAnswerError(expected.decode())
    done = await load.load(port, request, expected=expected, connections=1, seconds=seconds)
    return [latency * 1000 for latency in done.latencies_seconds]


async def measure(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Fills a database, asks everything, and prints how long the answers took."""
    amounts = Amounts(images=options.images, tags=options.tags, albums=options.albums)
    results = {}
    async with place(Store.SINK) as here:
        await seed(here.database_url, amounts)
        command = gallery_command({**here.gallery_settings(), "GALLERY_CACHE__ENABLED": "false"})
        async with serving(command, here.folder / "gallery", here.cores.server) as server:
            print(f"{'':36}{'answers':>9}{'p50 ms':>9}{'p99 ms':>9}")
            for name, asked in requests(amounts).items():
                taken = sorted(await latencies_ms(server.port, asked, options.seconds))
                p50, p99 = statistics.median(taken), taken[round(0.99 * (len(taken) - 1))]
                results[name] = {"answers": len(taken), "p50_ms": p50, "p99_ms": p99}
                print(f"{name:36}{len(taken):9}{p50:9.1f}{p99:9.1f}", flush=True)
    if options.json:
        options.json.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))
    return results


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, from the command line by default."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", type=Path, help="write the results to this file")
    options.add_argument("--seconds", type=between(0, 60), default=2, help="how long each thing is asked for (2)")
    options.add_argument("--images", type=between(1, 5_000_000), default=1_000_000)
    options.add_argument("--tags", type=between(2, 1_000_000), default=50_000)
    options.add_argument("--albums", type=between(1, 1_000_000), default=10_000)
    return options.parse_args(arguments)


async def main() -> None:
    """Measures as the command line says."""
    await measure(options_of())


if __name__ == "__main__":
    run(main)
