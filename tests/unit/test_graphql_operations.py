"""Which fields an operation asks for, which decides whether a header may speak for it."""

from __future__ import annotations

import pytest

from gallery.web.graphql.documents import Documents
from gallery.web.graphql.execution import shaping_variables
from gallery.web.graphql.schema import schema

STATS = "a: stats { tagCount }"


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ("{ stats { imageCount } }", ("stats",)),
        ("{ a: stats { imageCount } b: stats { tagCount } }", ("a", "b")),
        ("{ stats { imageCount } stats { tagCount } }", ("stats",)),
        ('{ ... { a: stats { tagCount } } ... on Query { tag(id: "") { id } } }', ("a", "tag")),
        (f"{{ ...all }} fragment all on Query {{ ...some }} fragment some on Query {{ {STATS} }}", ("a",)),
        ("{ a: stats @skip(if: true) { tagCount } b: stats { tagCount } }", ("a", "b")),
        ("{ __typename }", ()),
        ("{ stats { tagCount } __typename ... { what: __typename } }", ("stats",)),
    ],
)
def test_fields_of_the_root_are_found_wherever_they_stand(document: str, fields: tuple[str, ...]) -> None:
    assert Documents(schema).prepare(document, None).root_fields == fields


def test_fragments_that_stand_for_two_more_each_are_looked_into_once() -> None:
    doubling = " ".join(f"fragment F{place} on Query {{ ...F{place + 1} ...F{place + 1} }}" for place in range(60))
    document = f"{{ ...F0 }} {doubling} fragment F60 on Query {{ {STATS} }}"

    assert Documents(schema).prepare(document, None).root_fields == ("a",)


def test_fields_are_those_of_the_chosen_operation() -> None:
    document = "query A { a: stats { tagCount } } query B { b: stats { tagCount } }"

    assert Documents(schema).prepare(document, "B").root_fields == ("b",)


def test_variables_shape_an_answer_wherever_they_stand_but_in_the_arguments_of_the_root() -> None:
    document = """mutation ($input: CreateAlbumInput!, $first: Int, $with: Boolean!, $if: Boolean!, $other: Int) {
      createAlbum(input: $input) @include(if: $if) { album { ...some a: images(first: $first) { totalCount } } }
    } fragment some on Album { id @include(if: $with) images(first: $other) { totalCount } }"""
    alone = """mutation ($input: CreateTagInput!) { ...all }
    fragment all on Mutation { createTag(input: $input) { tag { id } } }"""

    documents = Documents(schema)

    assert shaping_variables(documents.prepare(alone, None)) == frozenset()
    assert shaping_variables(documents.prepare(document, None)) == {"first", "with", "if", "other"}
