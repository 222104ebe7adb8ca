"""What operations cost before they are executed."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import get_introspection_query

from benchmarks.hostile_documents import ACCEPTED
from gallery.web.graphql.amounts import CEILING
from gallery.web.graphql.execution import PreparedOperation, prepare
from gallery.web.graphql.pricing import CHANGE, INTROSPECTION
from gallery.web.graphql.schema import schema
from tests.graphql_server import SCHEMA

PAGE = "fragment P on ImageConnection { nodes { id } }"


def price(document: str, name: str | None = None, **variables: Any) -> int:  # noqa: ANN401  # any JSON
    return prepared(document, name).price.of(variables)


def prepared(document: str, name: str | None = None) -> PreparedOperation:
    return prepare(schema, document, name)


@pytest.mark.parametrize(
    ("document", "points"),
    [
        ("{ __typename }", 0),
        ("{ stats { imageCount tagCount } }", 1),
        ("{ stats { contentTypes { imageCount } } }", 1 + 10),
        ('{ image(id: "a") { id } }', 1),
        ('{ image(id: "a") { thumbnails { small { url } large { url } } } }', 1 + 1 + 2),
        ('{ image(id: "a") { tags { id } albums { id cover { id } } } }', 1 + 10 + 10 * 2),
        ("{ images { totalCount } }", 1),
        ("{ images { nodes { id } } }", 1 + 20),
        ("{ images { pageInfo { endCursor } } }", 1 + 1),
        ("{ images(first: 5) { nodes { id } } }", 1 + 5),
        ("{ images(last: 5) { nodes { id } } }", 1 + 5),
        ("{ images(first: null) { nodes { id } } }", 1 + 20),
        ("{ images(first: 5) { edges { cursor node { id } } } }", 1 + 5 * 2),
        ("{ images(first: 5) { nodes { id } edges { cursor } } }", 1 + 5 + 5),
        ("{ albums(first: 50) { nodes { images(first: 3) { nodes { id } } } } }", 1 + 50 * (1 + 1 + 3)),
        ('{ nodes(ids: ["a", "b", "c"]) { id } }', 3),
        ('{ nodes(ids: ["a", "b"]) { ... on Image { tags { id } } } }', 2 * (1 + 10)),
        ('{ imagesByChecksums(checksums: ["a", "b"]) { id } }', 2),
        ("{ a: stats { imageCount } b: stats { imageCount } }", 2),
        ("{ images(first: 5) { ... { nodes { id } } } }", 1 + 5),
        (f"{{ images(first: 5) {{ ...P }} }} {PAGE}", 1 + 5),
        (f"{{ a: images(first: 5) {{ ...P }} b: images(first: 7) {{ ...P }} }} {PAGE}", 2 + 5 + 7),
        ("{ images(first: 5) { nodes @skip(if: true) { id } } }", 1),
        ("{ images(first: 5) { nodes @include(if: true) { id } } }", 1 + 5),
        ("{ images(first: 5) { ... @include(if: false) { nodes { id } } } }", 1),
        ("{ __schema { types { name } } }", INTROSPECTION["__schema"]),
        ('{ __type(name: "Image") { fields { name } } }', INTROSPECTION["__type"]),
    ],
)
def test_every_object_costs_a_point_as_often_as_it_may_come(document: str, points: int) -> None:
    assert price(document) == points


@pytest.mark.parametrize(
    ("variables", "points"),
    [
        ({"first": 7}, 1 + 7),
        ({"first": None}, 1 + 20),
        ({}, 1 + 4),
        ({"first": 100}, 1 + 100),
        ({"first": 101}, 1 + 100),
        ({"first": 10**30}, 1 + 100),
        ({"first": -1}, 1),
        ({"first": 7.0}, 1 + 7),
        ({"first": float("inf")}, 1 + 20),
        ({"first": "7"}, 1 + 20),
        ({"first": True}, 1 + 20),
        ({"first": [7]}, 1 + 20),
    ],
)
def test_a_page_is_as_long_as_the_variable_says(variables: dict[str, Any], points: int) -> None:
    assert price("query Q($first: Int = 4) { images(first: $first) { nodes { id } } }", **variables) == points


@pytest.mark.parametrize(("variables", "points"), [({"last": 7}, 8), ({"first": 3, "last": 7}, 8), ({}, 21)])
def test_of_two_bounds_the_larger_counts(variables: dict[str, Any], points: int) -> None:
    document = "query Q($first: Int, $last: Int) { images(first: $first, last: $last) { nodes { id } } }"
    assert price(document, **variables) == points


def test_lists_within_lists_multiply() -> None:
    document = """query Q($a: Int!, $b: Int!) { albums(first: $a) { nodes { images(first: $b) { ...P } } } }
    fragment P on ImageConnection { nodes { id tags { id } } }"""
    assert price(document, a=3, b=5) == 1 + 3 * (1 + 1 + 5 * (1 + 10))


@pytest.mark.parametrize(("ids", "points"), [([], 0), (["a"] * 12, 12), ("a", 0), (None, 0)])
def test_ids_in_a_variable_are_counted(ids: object, points: int) -> None:
    assert price("query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids) == points


@pytest.mark.parametrize(("is_wanted", "points"), [(True, 1 + 20), (False, 1), (None, 1)])
def test_what_a_variable_leaves_out_is_free(*, is_wanted: bool | None, points: int) -> None:
    for condition in ("@include(if: $wanted)", "@include(if: $wanted) @skip(if: false)"):
        document = f"query Q($wanted: Boolean!) {{ images {{ nodes {condition} {{ id }} }} }}"
        assert price(document, wanted=is_wanted) == points
    document = "query Q($wanted: Boolean = true) { images { ...F @include(if: $wanted) } } "
    assert price(document + "fragment F on ImageConnection { nodes { id } }") == 1 + 20


def test_what_a_variable_skips_is_free() -> None:
    document = "query Q($no: Boolean!) { images { nodes @skip(if: $no) { id } } }"
    assert [price(document, no=True), price(document, no=False)] == [1, 21]


@pytest.mark.parametrize(
    ("field", "points"),
    [
        ('createTag(input: {name: "a"}) { tag { id } }', CHANGE + 2),
        ('createTag(input: {name: "a"}) { errors { code } }', CHANGE + 2),
        ('tagImages(input: {imageIds: ["a", "b"], tags: ["c"]}) { errors { code } }', CHANGE + 3 + 2),
        ('tagImages(input: {imageIds: ["a", "b"], tags: ["c"]}) { results { id } }', CHANGE + 3 + 1 + 3),
    ],
)
def test_changes_cost_more_and_something_for_each_item(field: str, points: int) -> None:
    assert price(f"mutation {{ {field} }}") == points
    assert price(f"mutation {{ a: {field} b: {field} }}") == 2 * points


def test_items_of_an_input_in_variables_are_counted() -> None:
    document = "mutation M($input: TagImagesInput!) { tagImages(input: $input) { results { id } } }"
    assert price(document, input={"imageIds": ["a", "b"], "tags": ["c"]}) == CHANGE + 3 + 1 + 3
    document = "mutation M($ids: [ID!]!) { tagImages(input: {imageIds: $ids, tags: []}) { errors { code } } }"
    assert price(document, ids=["a"] * 50) == CHANGE + 50 + 2


def test_a_mutation_without_selections_costs_as_much_as_any() -> None:
    assert prepare(SCHEMA, "mutation { patient }", None).price.of({}) == CHANGE


def test_a_subscription_costs_to_begin() -> None:
    assert price("subscription { imageProcessed { id } }") == CHANGE + 1


def test_the_operation_that_is_executed_counts() -> None:
    document = "query A { images { nodes { id } } } query B { stats { imageCount } }"
    assert [price(document, "A"), price(document, "B")] == [21, 1]


def test_what_tools_ask_of_the_schema_costs_the_same_however_long_it_is() -> None:
    assert price(get_introspection_query()) == INTROSPECTION["__schema"]


def test_fragments_that_double_are_looked_at_once_and_their_price_has_an_end() -> None:
    levels = "".join(
        f"fragment F{n} on Image {{ a{n}: albums {{ cover {{ ...F{n + 1} }} }} "
        f"b{n}: albums {{ cover {{ ...F{n + 1} }} }} }} "
        for n in range(8)
    )
    document = (
        f"query Q($a: Int!) {{ images(first: $a) {{ nodes {{ ...F0 }} }} }} {levels} fragment F8 on Image {{ id }}"
    )
    assert price(document, a=100) == CEILING
    assert price(document, a=0) == 1
    assert all(prepared(one).price.of({}) <= CEILING for one in ACCEPTED.values())


def test_numbers_of_any_length_are_pages() -> None:
    with_number = "{{ images(first: {}) {{ nodes {{ id }} }} }}"
    assert price(with_number.format(2**31 - 1)) == 101
