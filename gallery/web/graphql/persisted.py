"""Documents that clients name instead of sending them.

Automatic persisted queries, Apollo's protocol: a client sends the SHA-256 of its document; if nobody knows it, it is
told so, and sends hash and document together once.
https://www.apollographql.com/docs/apollo-server/performance/apq
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Any, Final

import strawberry
from graphql import GraphQLError

from gallery.domain.document_ports import DocumentStore
from gallery.web.errors import RequestCode, RequestError
from gallery.web.graphql.errors import with_code
from gallery.web.graphql.execution import Documents, PreparedOperation, RefusedDocumentError
from gallery.web.graphql.request import PERSISTED_QUERY, Parameters

KEPT_MAX_CHARACTERS: Final = 32 * 1024
"""How long a document may be to be kept. Longer ones are executed whenever they are sent."""

_VERSION: Final = 1
_SHA256: Final = re.compile(r"[0-9a-f]{64}")

# Clients look for these very words, some for nothing else.
_NOT_FOUND: Final = "PersistedQueryNotFound"
_NOT_SUPPORTED: Final = "PersistedQueryNotSupported"


class OperationSource:
    """Finds the document that a request means, and prepares its operation. Without a store there are none to find."""

    def __init__(self, schema: strawberry.Schema, store: DocumentStore | None) -> None:
        self._documents = Documents(schema)
        self._store = store

    async def prepare(self, parameters: Parameters) -> tuple[Parameters, PreparedOperation]:
        """The operation, and the parameters with the text of its document.

        A document is kept for later requests once it is known to be valid.

        Raises:
            RefusedDocumentError: as `Documents.prepare`; PERSISTED_QUERY_NOT_FOUND or PERSISTED_QUERY_NOT_SUPPORTED.
            RequestError: BAD_REQUEST if the hash is malformed, PERSISTED_QUERY_MISMATCH if it is another document's.
        """
        if (extension := parameters.extensions.get(PERSISTED_QUERY)) is None:
            return parameters, self._documents.prepare(parameters.query, parameters.operation_name)
        if self._store is None:
            raise _refused(RequestCode.PERSISTED_QUERY_NOT_SUPPORTED, _NOT_SUPPORTED)
        sha256 = _hash_in(extension)
        if not parameters.query.strip():
            document = await self._store.find(sha256)
            if document is None:
                raise _refused(RequestCode.PERSISTED_QUERY_NOT_FOUND, _NOT_FOUND)
            return self._prepared(replace(parameters, query=document))
        if hashlib.sha256(parameters.query.encode()).hexdigest() != sha256:
            message = f"`{PERSISTED_QUERY}.sha256Hash` is not the SHA-256 of `query`."
            raise RequestError(RequestCode.PERSISTED_QUERY_MISMATCH, message)
        prepared = self._prepared(parameters)
        if len(parameters.query) <= KEPT_MAX_CHARACTERS:
            await self._store.keep(sha256, parameters.query)
        return prepared

    def _prepared(self, parameters: Parameters) -> tuple[Parameters, PreparedOperation]:
        return parameters, self._documents.prepare(parameters.query, parameters.operation_name)


def _hash_in(extension: Any) -> str:  # noqa: ANN401  # whatever JSON a client sends
    if not isinstance(extension, dict) or extension.get("version") != _VERSION:
        message = f'`{PERSISTED_QUERY}` is {{"version": {_VERSION}, "sha256Hash": "…"}}; other versions are not taken.'
        raise RequestError(RequestCode.BAD_REQUEST, message)
    sha256 = extension.get("sha256Hash")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        message = f"`{PERSISTED_QUERY}.sha256Hash` is not a SHA-256 in 64 lower-case hexadecimal digits."
        raise RequestError(RequestCode.BAD_REQUEST, message)
    return sha256


def _refused(code: RequestCode, message: str) -> RefusedDocumentError:
    return RefusedDocumentError([with_code(GraphQLError(message), code)])
