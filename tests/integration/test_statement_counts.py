"""How many statements a query costs: as many for a long page as for a short one, and none that is not known here.

And that each field is answered the same, whichever others are read with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type
from pydantic import HttpUrl, SecretStr

from gallery.container import Container, open_container
from gallery.domain.images import RenditionSize
from gallery.settings import AddressingStyle, CacheSettings, DatabaseSettings, Settings, StorageSettings
from gallery.web.graphql.compiled import CompiledOperations
from gallery.web.graphql.context import Context
from gallery.web.graphql.documents import Documents
from gallery.web.graphql.execution import format_result, run
from gallery.web.graphql.schema import schema
from tests.entities import ADA, a_rendition, after, an_album, an_image
from tests.integration.database_support import Database, open_database
from tests.services import S3Access
from tests.statements import recorded_statements

LONG, SHORT = 50, 5
IMAGES = """
query ($first: Int!) {
  images(first: $first) {
    totalCount
    nodes {
      id title url tags { name imageCount } albums { id title imageCount }
      thumbnails { small { url } medium { url } large { url } }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
ALBUMS = """
query ($first: Int!) {
  albums(first: $first) {
    totalCount
    nodes { id title imageCount cover { id thumbnails { small { url } } } images(first: 3) { totalCount nodes { id } } }
  }
}
"""
TAGS = """
query ($first: Int!) {
  tags(first: $first) { totalCount nodes { id name imageCount images(first: 3) { totalCount nodes { id } } } }
}
"""
PLACES: dict[str, Callable[[str], str]] = {
    "Image": lambda fields: f"query ($first: Int!) {{ images(first: $first) {{ nodes {{ {fields} }} }} }}",
    "Thumbnail": lambda fields: (
        f"query ($first: Int!) {{ images(first: $first) {{ nodes {{ thumbnails {{ small {{ {fields} }} }} }} }} }}"
    ),
    "Tag": lambda fields: f"query ($first: Int!) {{ tags(first: $first) {{ nodes {{ {fields} }} }} }}",
    "Album": lambda fields: f"query ($first: Int!) {{ albums(first: $first) {{ nodes {{ {fields} }} }} }}",
}
"""Queries that ask for fields of each type."""


@pytest.fixture
async def container(database_url: str, s3: S3Access) -> AsyncIterator[Container]:
    """A gallery without a cache; nothing of the storage is asked for by queries."""
    settings = Settings(
        database=DatabaseSettings(url=SecretStr(database_url)),
        cache=CacheSettings(enabled=False),
        storage=StorageSettings(
            endpoint_url=HttpUrl(s3.endpoint_url),
            bucket="unused",
            addressing_style=AddressingStyle.PATH,
            access_key_id=SecretStr(s3.access_key_id),
            secret_access_key=SecretStr(s3.secret_access_key),
        ),
    )
    async with open_database(database_url) as database:
        await fill(database)
    async with open_container(settings) as container:
        yield container


async def fill(database: Database) -> None:
    """Fifty-five images with three thumbnails each, as many tags and albums, five images in each."""
    images = [an_image(uploaded_at=after(minute)) for minute in range(LONG + SHORT)]
    neighbours = [[images[(index + step) % len(images)] for step in range(5)] for index in range(len(images))]
    await database.store(
        *images,
        tags={f"tag {index}": neighbours[index] for index in range(len(images))},
        albums={an_album(f"Album {index}"): neighbours[index] for index in range(len(images))},
    )
    async with database.work() as work:
        for image in images:
            await work.images.replace_renditions(image.id, [a_rendition(image, size) for size in RenditionSize])
        await work.commit()


async def ask(
    container: Container, document: str, first: int, *, is_compiled: bool
) -> tuple[dict[str, Any], list[str]]:
    """The data of a query without errors, and the statements that it took."""
    operation = Documents(schema).prepare(document, None)
    operations = CompiledOperations(schema)
    execute = operations.run if is_compiled else partial(run, schema)
    if is_compiled:  # the first time is not
        await execute(operation, {"first": first}, a_context(container))
    with recorded_statements(container.engine) as statements:
        result = await execute(operation, {"first": first}, a_context(container))
    answer = format_result(result, "1")
    assert "errors" not in answer
    return answer["data"], statements


def a_context(container: Container) -> Context:
    return Context(viewer=ADA, use_cases=container.use_cases, base_url="http://gallery.example", request_id="1")


@pytest.mark.parametrize("is_compiled", [False, True])
@pytest.mark.parametrize(
    ("field", "document", "statement_count"),
    [
        ("images", IMAGES, 7),  # page, total, tags, their counts, albums, their counts, thumbnails
        ("albums", ALBUMS, 7),  # page, total, counts, cover ids, covers, their thumbnails, images
        ("tags", TAGS, 4),  # page, total, counts, images
    ],
)
async def test_long_page_takes_as_many_statements_as_a_short_one(
    container: Container, field: str, document: str, statement_count: int, is_compiled: bool
) -> None:
    short, few = await ask(container, document, SHORT, is_compiled=is_compiled)
    long, many = await ask(container, document, LONG, is_compiled=is_compiled)
    print(f"{field}: {len(many)} statements")

    assert (len(short[field]["nodes"]), len(long[field]["nodes"])) == (SHORT, LONG)
    assert long[field]["totalCount"] == LONG + SHORT
    assert long[field]["nodes"][:SHORT] == short[field]["nodes"]
    assert_complete(field, long[field]["nodes"])
    assert (len(few), len(many)) == (statement_count, statement_count), "\n".join(many)


@pytest.mark.parametrize("is_compiled", [False, True])
@pytest.mark.parametrize("field", ["images", "albums", "tags"])
async def test_who_does_not_ask_for_the_total_does_not_pay_for_it(
    container: Container, field: str, is_compiled: bool
) -> None:
    page = f"query ($first: Int!) {{ {field}(first: $first) {{ %s nodes {{ id }} }} }}"
    plain, read = await ask(container, page % "", SHORT, is_compiled=is_compiled)
    left_out, also_read = await ask(container, page % "totalCount @skip(if: true)", SHORT, is_compiled=is_compiled)
    counted, read_and_counted = await ask(container, page % "totalCount", SHORT, is_compiled=is_compiled)

    assert len(plain[field]["nodes"]) == SHORT
    assert left_out == plain
    assert counted[field] == {"totalCount": LONG + SHORT, **plain[field]}
    assert [len(statements) for statements in (read, also_read, read_and_counted)] == [1, 1, 2]


async def test_requests_that_come_together_share_the_statements_that_ask_by_ids(container: Container) -> None:
    listed, _ = await ask(
        container, "query ($first: Int!) { images(first: $first) { nodes { id } } }", 3, is_compiled=True
    )
    ids = [node["id"] for node in listed["images"]["nodes"]]
    operation = Documents(schema).prepare("query ($id: ID!) { image(id: $id) { id tags { name } } }", None)
    operations = CompiledOperations(schema)
    await operations.run(operation, {"id": ids[0]}, a_context(container))  # the first time is not compiled

    with recorded_statements(container.engine) as statements:
        results = await asyncio.gather(*(operations.run(operation, {"id": id_}, a_context(container)) for id_ in ids))

    images = [format_result(result, "1")["data"]["image"] for result in results]
    assert [image["id"] for image in images] == ids
    assert len({str(image["tags"]) for image in images}) == len(ids)  # everybody's own
    assert len(statements) == 2, "\n".join(statements)  # the images, and their tags


def assert_complete(field: str, nodes: list[dict[str, Any]]) -> None:
    """Every relation is there, so that none of them went uncounted."""
    for node in nodes:
        if field == "images":
            assert (len(node["tags"]), len(node["albums"])) == (5, 5)
            assert {one["imageCount"] for one in (*node["tags"], *node["albums"])} == {5}
            assert all(node["thumbnails"].values())
        else:
            assert (node["imageCount"], node["images"]["totalCount"], len(node["images"]["nodes"])) == (5, 5, 3)
        if field == "albums":
            assert node["cover"]["thumbnails"]["small"]["url"].startswith("http://gallery.example/media/")


@pytest.mark.parametrize("type_name", ["Image", "Thumbnail", "Tag", "Album"])
async def test_each_field_alone_is_what_it_is_among_all_others(container: Container, type_name: str) -> None:
    (shown,) = [type_ for name, type_ in schema._schema.type_map.items() if name == type_name]
    assert isinstance(shown, GraphQLObjectType)
    leaves = [name for name, field in shown.fields.items() if is_leaf_type(get_named_type(field.type))]
    whole = PLACES[type_name](" ".join(leaves))
    expected, _ = await ask(container, whole, SHORT, is_compiled=False)

    for field in leaves:
        alone, _ = await ask(container, PLACES[type_name](field), SHORT, is_compiled=True)
        assert alone == only(expected, field, leaves)


def only(answer: Any, field: str, leaves: list[str]) -> Any:  # noqa: ANN401  # any part of an answer
    """An answer without the other leaves."""
    if isinstance(answer, list):
        return [only(item, field, leaves) for item in answer]
    if isinstance(answer, dict):
        return {key: only(value, field, leaves) for key, value in answer.items() if key == field or key not in leaves}
    return answer
