"""Documents that were found valid are not looked at again."""

from __future__ import annotations

import asyncio

import pytest

from gallery.web.graphql.documents import Documents
from gallery.web.graphql.schema import schema
from gallery.web.graphql.validation import RefusedDocumentError

QUERY = "query Counts { stats { imageCount } } query Sizes { stats { totalSize } }"


def test_a_document_that_comes_again_is_prepared_once() -> None:
    documents = Documents(schema)
    assert documents.prepare(QUERY, "Counts") is documents.prepare(QUERY, "Counts")


def test_operations_of_one_document_are_told_apart() -> None:
    documents = Documents(schema)
    assert documents.prepare(QUERY, "Counts").name == "Counts"
    assert documents.prepare(QUERY, "Sizes").name == "Sizes"


def test_a_refused_document_is_refused_again() -> None:
    documents = Documents(schema)
    messages = []
    for _ in range(2):
        with pytest.raises(RefusedDocumentError) as refused:
            documents.prepare("{ nothing }", None)
        messages.append([error.message for error in refused.value.errors])
    assert messages == [["Cannot query field 'nothing' on type 'Query'."]] * 2


@pytest.mark.parametrize("characters", [1_000, 20_000, 200_000])
async def test_long_documents_are_kept_too(characters: int) -> None:
    documents = Documents(schema)
    query = "{ stats { imageCount } } #" + "x" * characters
    assert await documents.prepare_beside(query, None) is await documents.prepare_beside(query, None)


async def test_a_long_document_that_comes_several_times_at_once_is_prepared_once() -> None:
    documents = Documents(schema)
    query = "{ stats { imageCount } } #" + "x" * 1_000
    first, *others = await asyncio.gather(*(documents.prepare_beside(query, None) for _ in range(3)))
    assert all(other is first for other in others)


async def test_a_long_document_is_refused_for_its_reasons() -> None:
    documents = Documents(schema)
    with pytest.raises(RefusedDocumentError) as refused:
        await documents.prepare_beside("{ nothing } #" + "x" * 1_000, None)
    assert [error.message for error in refused.value.errors] == ["Cannot query field 'nothing' on type 'Query'."]


def test_a_stream_of_documents_takes_bounded_memory_and_pushes_out_none_that_is_used() -> None:
    documents = Documents(schema, kept_bytes=100_000)
    used = documents.prepare(QUERY, "Counts")
    assert documents.prepare(QUERY, "Counts") is used
    for number in range(50):
        documents.prepare(f"{{ stats {{ imageCount }} }} # {number}", None)
        assert documents.size_bytes <= 100_000
    assert documents.prepare(QUERY, "Counts") is used


def test_what_a_document_takes_goes_with_its_tokens_and_its_text() -> None:
    documents = Documents(schema)
    short = documents.prepare("{ stats { imageCount } }", None)
    wide = documents.prepare("{ " + "stats { imageCount } " * 20 + "}", None)
    long = documents.prepare("{ stats { imageCount } } #" + "x" * 10_000, None)
    assert short.size_bytes < 10_000
    assert wide.size_bytes > 10 * short.size_bytes
    assert long.size_bytes > short.size_bytes + 10_000
