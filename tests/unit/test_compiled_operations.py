"""The gallery's own schema, compiled: the answers of graphql-core and Strawberry, with one read for each relation."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

import orjson
import pytest
from graphql import GraphQLObjectType

from gallery.compiler import EXTENSION, Attribute, Batch, CompiledOperation, Computed, Direct, compile_operation
from gallery.domain.access import Viewer
from gallery.domain.ids import ImageId
from gallery.domain.records import Records
from gallery.domain.tags import Tag
from gallery.services.uploads import UploadLimits, UploadService
from gallery.web.graphql.batches import BATCHES
from gallery.web.graphql.compiled import CompiledOperations, declare
from gallery.web.graphql.context import Context, UseCases
from gallery.web.graphql.documents import Documents
from gallery.web.graphql.execution import format_result, run
from gallery.web.graphql.ids import album_global_id, image_global_id, tag_global_id
from gallery.web.graphql.schema import schema
from tests.entities import ADA, a_tag, after, an_album, an_image
from tests.fakes.albums import MemoryAlbumReader
from tests.fakes.gallery import MemoryGallery
from tests.fakes.images import MemoryImageReader
from tests.fakes.tags import MemoryTagReader

IMAGES = [an_image(uploaded_at=after(minute)) for minute in range(4)]
SEA, SKY = a_tag("sea"), a_tag("sky")
SUMMER, EMPTY = an_album("Summer"), an_album("Empty")
SOME_IDS = [tag_global_id(SEA.id), album_global_id(SUMMER.id), "img_0", image_global_id(an_image().id)]
DOCUMENTS = [
    """query ($first: Int!, $with: Boolean = true) { images(first: $first) {
      totalCount pageInfo { hasNextPage endCursor } edges { cursor node { id } }
      nodes { id title uploadedAt processing url fileSize tags @include(if: $with) { ...named images { nodes { id } } }
        albums { title cover { id } imageCount } thumbnails { small { url } } } } }
    fragment named on Tag { __typename name imageCount }""",
    """{ albums(first: 5) { nodes {
      id title imageCount cover { id } images(first: 1) { nodes { id } totalCount } } } }""",
    """{ images(first: 1, filter: {tags: ["SEA"], tagMode: ALL}, sort: {field: TITLE, direction: ASC}) {
      nodes { id } } }""",
    """{ images(first: 0) { nodes { id } } other: images(first: 1) { nodes { id } } }""",
    f"""{{ node(id: "{image_global_id(IMAGES[0].id)}") {{
      __typename id ... on Image {{ title tags {{ name }} }} }} }}""",
    f"""{{ nodes(ids: {orjson.dumps(SOME_IDS).decode()}) {{
      id ... on Tag {{ imageCount }} ... on Album {{ imageCount }} }} }}""",
    """{ image(id: "nonsense") { id } stats { imageCount } }""",
    """mutation { a: createTag(input: {name: "a"}) { tag { name imageCount } errors { code message } }
      b: createTag(input: {name: ""}) { tag { name } errors { code field message } } }""",
]


class CountedTagReader(MemoryTagReader):
    """Writes down how many it is asked for."""

    def __init__(self, gallery: MemoryGallery) -> None:
        super().__init__(gallery.database)
        self.asked: list[int] = []

    async def by_image(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[Tag, ...]]:
        self.asked.append(len(image_ids))
        return await super().by_image(viewer, image_ids)


def a_gallery() -> MemoryGallery:
    gallery = MemoryGallery()
    gallery.holds(*IMAGES, SEA, SKY, SUMMER, EMPTY)
    gallery.put_in_album(SUMMER, *IMAGES[:3])
    for image in IMAGES[1:]:
        gallery.put_tags(image, SEA, SKY)
    return gallery


def a_context(gallery: MemoryGallery, tag_reader: MemoryTagReader | None = None) -> Context:
    limits = UploadLimits(max_file_size_bytes=100, head_bytes=16)
    uploads = UploadService(
        unit_of_work=gallery.unit_of_work,
        storage=gallery.storage,
        inspector=gallery.inspector,
        verifier=gallery.verifier,
        intents=gallery.intents,
        recorder=gallery.recorder,
        limits=limits,
    )
    images, albums = MemoryImageReader(gallery.database), MemoryAlbumReader(gallery.database)
    tags = tag_reader or MemoryTagReader(gallery.database)
    use_cases = UseCases(
        records=lambda _fields: Records(images=images, tags=tags, albums=albums),
        image_reader=images,
        tag_reader=tags,
        album_reader=albums,
        images=gallery.images,
        tags=gallery.tags,
        albums=gallery.albums,
        shares=gallery.shares,
        uploads=uploads,
        staged_uploads=gallery.staged_uploads,
        idempotency=gallery.idempotency,
        answers=gallery.answers,
        progress=gallery.progress,
        processed=gallery.processed,
        sweep=gallery.sweep,
        sweep_grace=timedelta(hours=1),
        accounts=gallery.accounts,
        tokens=gallery.tokens,
        authenticator=gallery.authenticator,
        people=gallery.people,
        share_links=gallery.share_links,
        shared=gallery.shared,
    )
    return Context(viewer=ADA, use_cases=use_cases, base_url="http://gallery.example", request_id="1")


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_answers_are_those_of_graphql_core(document: str) -> None:
    operation = Documents(schema).prepare(document, None)
    variables: dict[str, Any] = {"first": 3}
    expected = format_result(await run(schema, operation, variables, a_context(a_gallery())), "1")
    operations = CompiledOperations(schema)

    results = [await operations.run(operation, variables, a_context(a_gallery())) for _ in range(3)]

    assert [format_result(result, "1") for result in results] == [expected] * 3
    assert isinstance(compile_operation(schema._schema, operation.document), CompiledOperation)


async def test_a_relation_is_read_once_for_a_page() -> None:
    operations, operation = CompiledOperations(schema), Documents(schema).prepare(DOCUMENTS[0], None)
    gallery = a_gallery()
    await operations.run(operation, {"first": 3}, a_context(gallery))
    reader = CountedTagReader(gallery)

    await operations.run(operation, {"first": 3}, a_context(gallery, reader))
    await operations.run(operation, {"first": 3, "with": False}, a_context(gallery, reader))

    assert reader.asked == [3]


def test_fields_are_declared_as_what_they_are() -> None:
    declare(schema)
    image = schema._schema.type_map["Image"]

    assert isinstance(image, GraphQLObjectType)
    assert image.fields["title"].extensions[EXTENSION] == Attribute("title", of="record")
    assert isinstance(image.fields["url"].extensions[EXTENSION], Computed)
    connection = schema._schema.type_map["ImageConnection"]
    assert isinstance(connection, GraphQLObjectType)
    assert isinstance(connection.fields["nodes"].extensions[EXTENSION], Direct)
    assert image.fields["tags"].extensions[EXTENSION] == Batch(BATCHES["Image.tags"])
    assert EXTENSION not in schema._schema.type_map["Subscription"].fields["uploadProgress"].extensions  # type: ignore[attr-defined]


def test_every_batch_is_of_a_field_of_the_schema() -> None:
    for coordinate in BATCHES:
        type_, field = coordinate.split(".")
        assert field in schema._schema.type_map[type_].fields  # type: ignore[attr-defined]
