"""Documents that were found valid are not looked at again."""

from __future__ import annotations

import pytest

from gallery.web.graphql.execution import Documents, RefusedDocumentError
from gallery.web.graphql.schema import schema

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


def test_long_documents_are_not_kept() -> None:
    documents = Documents(schema)
    query = "{ stats { imageCount } } #" + "x" * 16 * 1024
    assert documents.prepare(query, None) is not documents.prepare(query, None)


def test_many_documents_make_it_forget_the_first() -> None:
    documents = Documents(schema)
    first = documents.prepare(QUERY, "Counts")
    for number in range(500):
        documents.prepare(f"{{ stats {{ imageCount }} }} # {number}", None)
    assert documents.prepare(QUERY, "Counts") is not first
