"""Documents that were found valid are not looked at again."""

from __future__ import annotations

import asyncio

import pytest

from gallery.web.body import ClientDisconnectedError
from gallery.web.graphql.documents import Documents, TooManyDocumentsError
from gallery.web.graphql.schema import schema
from gallery.web.graphql.validation import RefusedDocumentError

QUERY = "query Counts { stats { imageCount } } query Sizes { stats { totalSize } }"
LONG = "{{ stats {{ imageCount }} }} # {} " + "x" * 1_000


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


async def test_no_more_different_documents_wait_for_their_turn_than_may() -> None:
    documents = Documents(schema, waiting_max=2)
    presence = Held()
    waiting = [asyncio.create_task(documents.prepare_beside(LONG.format(number), None, presence)) for number in (0, 1)]
    await presence.is_asked.wait()
    with pytest.raises(TooManyDocumentsError) as refused:
        await documents.prepare_beside(LONG.format(2), None)
    assert (refused.value.status, refused.value.code) == (503, "TOO_MANY_DOCUMENTS")
    same = asyncio.create_task(documents.prepare_beside(LONG.format(1), None))
    presence.go_on.set()
    _, second = await asyncio.gather(*waiting)
    assert await same is second
    assert (await documents.prepare_beside(LONG.format(2), None)).name is None


async def test_short_documents_and_known_ones_wait_for_nobody() -> None:
    documents = Documents(schema, waiting_max=1)
    known = await documents.prepare_beside(LONG.format(0), None)
    presence = Held()
    waiting = asyncio.create_task(documents.prepare_beside(LONG.format(1), None, presence))
    await presence.is_asked.wait()
    assert await documents.prepare_beside(LONG.format(0), None) is known
    assert (await documents.prepare_beside(QUERY, "Sizes")).name == "Sizes"
    presence.go_on.set()
    await waiting


async def test_nothing_is_prepared_for_who_left_before_the_turn_came() -> None:
    documents = Documents(schema, waiting_max=1)
    presence = Held(has_left=True)
    presence.go_on.set()
    with pytest.raises(ClientDisconnectedError):
        await documents.prepare_beside(LONG.format(0), None, presence)
    assert documents.size_bytes == 0
    assert (await documents.prepare_beside(LONG.format(1), None)).name is None


class Held:
    """Somebody who makes those who look wait."""

    def __init__(self, *, has_left: bool = False) -> None:
        self.is_asked = asyncio.Event()
        self.go_on = asyncio.Event()
        self._has_left = has_left

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        pass

    async def look(self) -> None:
        self.is_asked.set()
        await self.go_on.wait()
        if self._has_left:
            raise ClientDisconnectedError


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
