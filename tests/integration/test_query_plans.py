"""Every query of the schema reads indexes, never a whole table of images. What is new in the schema must be added here.

The database is a small one, with the same skew as a gallery of a million images; see `docs/adr/0012`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, get_named_type

from benchmarks.seed import identifier, seed
from gallery.container import Container, open_container
from gallery.domain.ids import ImageId, TagId
from gallery.web.graphql.ids import image_global_id, tag_global_id
from tests.integration.plan_cases import ALBUM, AMOUNTS, FILTERS, OF_TAG, ORDERS, assert_reads_no_table, pages
from tests.integration.plan_support import (
    CONNECTION_ARGUMENTS,
    SCHEMA,
    ask,
    composite,
    everything,
    of_the_database_alone,
    plan_for_all_values,
    plan_of,
)
from tests.statements import recorded_with_parameters

IMAGE = image_global_id(ImageId(identifier(1, 70)))
TAG = tag_global_id(TagId(identifier(2, 0)))
ALBUM_ORDERS = {
    "CREATED_AT": "ix_albums_created_at_id",
    "TITLE": "ix_albums_sort_title_id",
    "UPDATED_AT": "ix_albums_updated_at_id",
}
ARGUMENTS = {
    "album": f'(id: "{ALBUM}")',
    "albums": "",
    "image": f'(id: "{IMAGE}")',
    "imageByChecksum": f'(checksum: "{5:064x}")',
    "images": "",
    "imagesByChecksums": f'(checksums: ["{5:064x}", "{6:064x}"])',
    "node": f'(id: "{ALBUM}")',
    "nodes": f'(ids: ["{ALBUM}", "{IMAGE}", "{TAG}"])',
    "stats": "",
    "tag": f'(id: "{TAG}")',
    "tags": "",
}
"""Every field of the schema's `Query` that reads images, tags or albums."""
OTHERS = {"shareLinks", "sharedLink", "storageReport", "upload", "viewer"}
"""Fields that read the storage, uploads, accounts, share links or what one of these opens."""


@pytest.fixture(scope="module")
async def container(shared_database_url: str) -> AsyncIterator[Container]:
    """A gallery of many images without a cache; queries ask nothing of the storage."""
    await seed(shared_database_url, AMOUNTS)
    async with open_container(of_the_database_alone(shared_database_url)) as container:
        yield container


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("field", ORDERS)
@pytest.mark.parametrize("name", FILTERS)
async def test_pages_of_images_come_from_an_index(container: Container, name: str, field: str, direction: str) -> None:
    wanted, newest, any_order = FILTERS[name]
    arguments = {"filter": ("ImageFilter", wanted), "sort": ("ImageSort", None)}

    plans = await pages(container, "images", arguments, {"field": field, "direction": direction})

    assert len(plans) == 4
    assert_reads_no_table(plans)
    intended = newest if field == "UPLOADED_AT" else {*any_order, ORDERS[field]}
    for plan in plans:
        assert plan.indexes & intended, f"{sorted(plan.indexes)}: {plan.statement}"


@pytest.mark.parametrize("name", FILTERS)
async def test_images_are_counted_by_an_index(container: Container, name: str) -> None:
    wanted, _, counted = FILTERS[name]

    _, plans = await ask(
        container, "query ($filter: ImageFilter) { images(filter: $filter) { totalCount } }", {"filter": wanted}
    )

    assert_reads_no_table(plans)
    [count] = [plan for plan in plans if "count(" in plan.statement]
    assert counted & count.indexes, f"{sorted(count.indexes)}: {count.statement}"


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("field", ALBUM_ORDERS)
async def test_pages_of_albums_come_from_an_index(container: Container, field: str, direction: str) -> None:
    arguments = {"text": ("String", None), "sort": ("AlbumSort", None)}

    plans = await pages(container, "albums", arguments, {"field": field, "direction": direction})

    assert [plan.indexes for plan in plans] == [{ALBUM_ORDERS[field]}] * 4


async def test_pages_of_tags_come_from_an_index(container: Container) -> None:
    plans = await pages(container, "tags", {"text": ("String", None)}, {})

    assert [plan.indexes for plan in plans] == [{"uq_tags_key"}] * 4


@pytest.mark.parametrize(("field", "index"), [("tags", "ix_tags_text"), ("albums", "ix_albums_text")])
async def test_rare_names_of_tags_and_albums_are_found_by_their_trigrams(
    container: Container, field: str, index: str
) -> None:
    _, plans = await ask(container, f'{{ {field}(text: "1234") {{ totalCount nodes {{ id }} }} }}', {})

    assert [plan.indexes for plan in plans] == [{index}, {index}]


@pytest.mark.parametrize("field", ARGUMENTS)
async def test_everything_that_a_field_leads_to_is_read_by_indexes(container: Container, field: str) -> None:
    kind = composite("Query").fields[field].type

    data, plans = await ask(
        container, f"{{ {field}{ARGUMENTS[field]} {{ {everything(get_named_type(kind).name)} }} }}", {}
    )

    assert data[field]
    assert plans
    assert_reads_no_table(plans)


@pytest.mark.parametrize("kind", ["Album", "Tag"])
async def test_parts_of_albums_and_tags_come_from_an_index(container: Container, kind: str) -> None:
    id_, index = (ALBUM, {"uq_album_images_album_id_position"}) if kind == "Album" else (TAG, OF_TAG)
    document = f"""
        query ($first: Int, $last: Int, $after: String, $before: String) {{ node(id: "{id_}") {{ ... on {kind} {{
            images(first: $first, last: $last, after: $after, before: $before) {{ pageInfo {{ endCursor }} }}
        }} }} }}
    """

    first, plans = await ask(container, document, {"first": 2})
    cursor = first["node"]["images"]["pageInfo"]["endCursor"]
    for request in ({"first": 2, "after": cursor}, {"last": 2}, {"last": 2, "before": cursor}):
        plans += (await ask(container, document, request))[1]

    parts = [plan for plan in plans if "LIMIT" in plan.statement]
    assert [index <= plan.indexes for plan in parts] == [True] * 4
    assert_reads_no_table(plans)


async def test_a_table_that_is_read_from_end_to_end_is_found_out(container: Container) -> None:
    plan = await plan_of(container.engine, ("SELECT id FROM images WHERE width_px = $1", (6000,)))

    assert plan.scanned == {"images"}
    assert not plan.indexes
    with pytest.raises(AssertionError, match="WHERE width_px"):
        assert_reads_no_table([plan])


def test_every_query_of_the_schema_is_here() -> None:
    assert ARGUMENTS.keys() | OTHERS == composite("Query").fields.keys()
    assert not ARGUMENTS.keys() & OTHERS


def test_every_filter_of_images_is_here() -> None:
    image_filter = SCHEMA.type_map["ImageFilter"]
    assert isinstance(image_filter, GraphQLInputObjectType)
    used = {name for wanted, _, _ in FILTERS.values() for name in wanted}
    assert used == image_filter.fields.keys()


@pytest.mark.parametrize(("enum", "orders"), [("ImageSortField", ORDERS), ("AlbumSortField", ALBUM_ORDERS)])
def test_every_order_is_here(enum: str, orders: dict[str, str]) -> None:
    fields = SCHEMA.type_map[enum]
    assert isinstance(fields, GraphQLEnumType)
    assert orders.keys() == fields.values.keys()


@pytest.mark.parametrize(
    ("kind", "field", "more"),
    [
        ("Query", "images", {"filter", "sort"}),
        ("Query", "albums", {"text", "sort"}),
        ("Query", "tags", {"text"}),
        ("Album", "images", set()),
        ("Tag", "images", set()),
    ],
)
def test_every_argument_of_a_list_is_here(kind: str, field: str, more: set[str]) -> None:
    assert composite(kind).fields[field].args.keys() == CONNECTION_ARGUMENTS | more


@pytest.mark.parametrize("field", ["images", "tags", "albums"])
async def test_what_is_read_by_ids_needs_no_plan_for_the_values(container: Container, field: str) -> None:
    document = f"{{ {field}(first: 3) {{ nodes {{ {everything(field.removesuffix('s').title())} }} }} }}"
    with recorded_with_parameters(container.engine) as statements:
        await ask(container, document, {})
    sent = [(sql, values) for sql, values in statements if not sql.startswith("EXPLAIN")]
    by_ids = [(sql, values) for sql, values in sent if "UUID[]" in sql and "LIMIT" not in sql]

    assert by_ids
    assert_reads_no_table([await plan_for_all_values(container.engine, statement) for statement in by_ids])
