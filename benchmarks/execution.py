"""Executing the query of `nested` with everything in memory: compiled, and by graphql-core and Strawberry.

    python -m benchmarks execution [--rounds 30] [--source]

No HTTP, no validation, no database: what is left is execution, and making what the schema shows of entities.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from statistics import median
from types import SimpleNamespace
from typing import Any, cast

from graphql import ExecutionResult

from benchmarks.harness import parser, run
from benchmarks.queries import FIRST, queries
from gallery.compiler import CompiledOperation, compile_operation
from gallery.domain.images import RenditionSize
from gallery.domain.pages import Edge, Page, Position
from gallery.web.graphql import execution
from gallery.web.graphql.compiled import CompiledOperations
from gallery.web.graphql.context import Context
from gallery.web.graphql.documents import Documents
from gallery.web.graphql.schema import schema
from tests.entities import ADA, a_rendition, a_tag, after, an_album, an_image

QUERY = queries(FIRST)["page"].text
IMAGES = [an_image(uploaded_at=after(minute)) for minute in range(FIRST)]
RENDITIONS = {image.id: tuple(a_rendition(image, size) for size in RenditionSize) for image in IMAGES}
TAGS = tuple(a_tag(f"tag {number}") for number in range(3))
ALBUMS = tuple(an_album(f"Album {number}") for number in range(2))
EDGES = tuple(Edge(position=Position(image.uploaded_at, image.id), item=image) for image in IMAGES)
PAGE: Page[Any] = Page.of(EDGES, has_next=True, has_previous=False)


def reader(**answers: Callable[[Any], Any]) -> SimpleNamespace:
    """A reader whose methods know an answer for each id."""

    def method(answer: Callable[[Any], Any]) -> Callable[..., Awaitable[dict[Any, Any]]]:
        async def read(_viewer: object, ids: Collection[Any]) -> dict[Any, Any]:
            return {id_: answer(id_) for id_ in ids}

        return read

    return SimpleNamespace(**{name: method(answer) for name, answer in answers.items()})


async def list_page(*_: object) -> Page[Any]:
    """The page that everybody gets."""
    return PAGE


def a_context() -> Context:
    """A request whose readers answer from memory."""
    images = reader(renditions=RENDITIONS.__getitem__)
    images.list_page = list_page
    tags = reader(by_image=lambda _: TAGS)
    albums = reader(by_image=lambda _: ALBUMS, image_counts=lambda _: len(IMAGES))
    use_cases = SimpleNamespace(
        records=lambda _fields: SimpleNamespace(images=images, tags=tags, albums=albums),
        image_reader=images,
        tag_reader=tags,
        album_reader=albums,
    )
    return Context(viewer=ADA, use_cases=cast("Any", use_cases), base_url="http://gallery.example", request_id="1")


async def milliseconds(execute: Callable[[], Awaitable[ExecutionResult]], times: int) -> float:
    """The processor time of one execution."""
    began = time.process_time()
    for _ in range(times):
        await execute()
    return (time.process_time() - began) * 1_000 / times


async def main() -> None:
    """Lets the two take turns."""
    options = parser(__doc__, rounds=30)
    options.add_argument("--source", action="store_true", help="print the code of the operation and do nothing else")
    arguments = options.parse_args()
    operation, variables = Documents(schema).prepare(QUERY, None), {"first": FIRST}
    operations = CompiledOperations(schema)
    if arguments.source:
        compiled = compile_operation(schema._schema, operation.document, None, variables)  # noqa: SLF001
        print(compiled.source if isinstance(compiled, CompiledOperation) else compiled.reason)
        return
    ways: dict[str, tuple[Callable[[], Awaitable[ExecutionResult]], int]] = {
        "graphql-core and Strawberry": (lambda: execution.run(schema, operation, variables, a_context()), 2),
        "compiled": (lambda: operations.run(operation, variables, a_context()), 10),
    }
    first, *others = [[await execute() for _ in range(3)][-1] for execute, _ in ways.values()]
    assert first.errors is None
    assert all(other == first for other in others)
    rounds = [{name: await milliseconds(*way) for name, way in ways.items()} for _ in range(arguments.rounds)]
    for name in ways:
        times = [each[name] for each in rounds]
        print(f"{name:30} {median(times):7.2f} ms, at best {min(times):.2f}")
    before, now = ways
    print(f"{'ratio':30} {median(each[now] / each[before] for each in rounds):7.3f}")


if __name__ == "__main__":
    run(main)
