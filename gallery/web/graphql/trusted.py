"""Documents that the operator of the gallery trusts: those of the front ends, known before any request comes.

Requests name them by `documentId` (GraphQL over HTTP, appendix "Persisted Documents"): the id that the manifest gives
them, or `sha256:` and the SHA-256 of their text. The manifest is a JSON object of documents by their ids.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import orjson
import strawberry
from graphql import GraphQLError

from gallery.settings_graphql import GraphQLSettings
from gallery.settings_limits import LimitSettings
from gallery.web.graphql.validation import RefusedDocumentError, parsed, require_valid

_VARIABLE: Final = "GALLERY_GRAPHQL__TRUSTED_DOCUMENTS"
_SHA256: Final = "sha256:"


class TrustedDocumentsError(Exception):
    """A manifest that cannot be used; the message has a line for everything that is wrong with it."""


class TrustedDocuments:
    """Documents by their ids. If they are `exclusive`, nothing else is executed."""

    def __init__(self, documents: Mapping[str, str], *, exclusive: bool = False) -> None:
        self._by_hash = {sha256_of(document): document for document in documents.values()}
        self._by_id = {_SHA256 + sha256: document for sha256, document in self._by_hash.items()} | dict(documents)
        self.exclusive = exclusive

    def find(self, document_id: str) -> str | None:
        """The document with this id."""
        return self._by_id.get(document_id)

    def find_by_hash(self, sha256: str) -> str | None:
        """The document with this hash, in lower-case hexadecimal digits."""
        return self._by_hash.get(sha256)


NO_TRUSTED_DOCUMENTS: Final = TrustedDocuments({})


def trusted_documents(settings: GraphQLSettings, schema: strawberry.Schema) -> TrustedDocuments:
    """Those in the manifest of the settings, if there is one.

    Raises:
        TrustedDocumentsError: if it cannot be read, or holds a document that is not valid.
    """
    if settings.trusted_documents is None:
        return NO_TRUSTED_DOCUMENTS
    documents = _read(settings.trusted_documents)
    problems = [
        problem for id_, document in documents.items() for problem in _problems(schema, id_, document, settings)
    ]
    if problems:
        raise TrustedDocumentsError("\n".join(f"{settings.trusted_documents}: {problem}" for problem in problems))
    return TrustedDocuments(documents, exclusive=settings.only_trusted)


def sha256_of(document: str) -> str:
    """The hash by which a document is known."""
    return hashlib.sha256(document.encode()).hexdigest()


def _read(manifest: Path) -> dict[str, str]:
    try:
        content = orjson.loads(manifest.read_bytes())
    except OSError as error:
        message = f"{_VARIABLE} is {manifest}, which cannot be read: {error.strerror}."
        raise TrustedDocumentsError(message) from error
    except orjson.JSONDecodeError as error:
        message = f"{_VARIABLE} is {manifest}, which is not JSON: {error}."
        raise TrustedDocumentsError(message) from error
    if not isinstance(content, dict) or not all(isinstance(document, str) for document in content.values()):
        message = f'{_VARIABLE} is {manifest}, which is not a JSON object of documents by ids: {{"id": "query …"}}.'
        raise TrustedDocumentsError(message)
    return content


def _problems(schema: strawberry.Schema, document_id: str, document: str, limits: LimitSettings) -> Iterator[str]:
    """What is wrong with a document, in a line each."""
    if not document_id:
        yield "a document has an empty id."
    if document_id.startswith(_SHA256) and document_id != _SHA256 + sha256_of(document):
        yield f'"{document_id}" is not the SHA-256 of its document.'
    for error in _errors(schema, document, limits):
        line = f" (line {error.locations[0].line})" if error.locations else ""
        yield f'"{document_id}" is not valid{line}: {error.message}'


def _errors(schema: strawberry.Schema, document: str, limits: LimitSettings) -> list[GraphQLError]:
    try:
        require_valid(schema, parsed(document, limits), limits)
    except RefusedDocumentError as refused:
        return refused.errors
    return []
