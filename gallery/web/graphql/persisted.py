"""Documents that clients name instead of sending them: trusted ones by their ids (`trusted.py`), others by hashes.

Automatic persisted queries, Apollo's protocol: a client sends the SHA-256 of its document; if nobody knows it, it is
told so, and sends hash and document together once.
https://www.apollographql.com/docs/apollo-server/performance/apq
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Any, Final

import strawberry
from graphql import ExecutionResult, GraphQLError, OperationType

from gallery.domain.document_ports import DocumentStore
from gallery.domain.errors import OverloadedError
from gallery.domain.waiting import PATIENCE
from gallery.settings_limits import LimitSettings
from gallery.web.errors import RequestCode, RequestError
from gallery.web.graphql.compiled import CompiledOperations
from gallery.web.graphql.context import Context
from gallery.web.graphql.documents import Documents
from gallery.web.graphql.errors import with_code
from gallery.web.graphql.execution import PreparedOperation
from gallery.web.graphql.leaving import SOMEBODY, Presence
from gallery.web.graphql.request import PERSISTED_QUERY, Parameters
from gallery.web.graphql.trusted import NO_TRUSTED_DOCUMENTS, TrustedDocuments, sha256_of
from gallery.web.graphql.turns import Turns
from gallery.web.graphql.validation import DEFAULT_LIMITS, RefusedDocumentError

KEPT_MAX_CHARACTERS: Final = 32 * 1024
"""How long a document may be to be kept. Longer ones are executed whenever they are sent."""

_VERSION: Final = 1
_SHA256: Final = re.compile(r"[0-9a-f]{64}")

# Clients look for these very words, some for nothing else.
_NOT_FOUND: Final = "PersistedQueryNotFound"
_NOT_SUPPORTED: Final = "PersistedQueryNotSupported"


class OperationSource:
    """Finds the document that a request means, and prepares its operation for the `executor`.

    Without a store it is told no documents.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        store: DocumentStore | None = None,
        trusted: TrustedDocuments = NO_TRUSTED_DOCUMENTS,
        limits: LimitSettings = DEFAULT_LIMITS,
        turns: Turns | None = None,
    ) -> None:
        self.executor = CompiledOperations(schema, in_thread=True)
        self._documents = Documents(schema, limits=limits)
        self._store = store
        self._trusted = trusted
        self._turns = turns

    async def prepare(
        self, parameters: Parameters, presence: Presence = SOMEBODY, *, may_tell: bool = True
    ) -> tuple[Parameters, PreparedOperation]:
        """The operation, and the parameters with the text of its document.

        A document that a client tells is kept for later requests once it is known to be valid, if the client `may_tell`
        any; others are executed. What takes long is done in the context of `presence`.

        Raises:
            RefusedDocumentError: as `Documents.prepare`; PERSISTED_DOCUMENT_NOT_FOUND, PERSISTED_QUERY_NOT_FOUND or
                PERSISTED_QUERY_NOT_SUPPORTED; DOCUMENT_NOT_TRUSTED if only trusted documents are executed.
            RequestError: BAD_REQUEST if the hash is malformed, PERSISTED_QUERY_MISMATCH if it is another document's;
                as `Documents.prepare_beside`.
        """
        sha256 = _hash_in(parameters)
        if parameters.document_id is not None:
            found = self._trusted.find(parameters.document_id)
            if found is None:
                raise _refused(RequestCode.PERSISTED_DOCUMENT_NOT_FOUND, "The gallery has no document with this id.")
        elif self._trusted.exclusive:
            found = self._trusted.find_by_hash(sha256 or sha256_of(parameters.query))
            if found is None:
                raise _refused(RequestCode.DOCUMENT_NOT_TRUSTED, "The gallery executes only documents that it knows.")
        elif sha256 is None:
            found = parameters.query
        else:
            return await self._prepare_persisted(parameters, sha256, presence, may_tell=may_tell)
        return await self._prepare(parameters, found, presence)

    async def run(self, operation: PreparedOperation, variables: dict[str, Any], context: Context) -> ExecutionResult:
        """Executes a query or a mutation. Queries wait for their turn; who gets none has an error in place of data.

        Mutations may take minutes, as those that complete an upload do, and would leave no turn to queries.
        """
        work = partial(self.executor.run, operation, variables, context)
        if operation.kind is not OperationType.QUERY or self._turns is None:
            return await work()
        patience = PATIENCE.get()
        try:
            return await self._turns.run(context.viewer.id if patience is None else patience.asker, work)
        except OverloadedError as error:
            return ExecutionResult(None, [GraphQLError(error.message, original_error=error)])

    async def _prepare_persisted(
        self, parameters: Parameters, sha256: str, presence: Presence, *, may_tell: bool
    ) -> tuple[Parameters, PreparedOperation]:
        if (trusted := self._trusted.find_by_hash(sha256)) is not None:
            return await self._prepare(parameters, trusted, presence)
        if self._store is None:
            raise _refused(RequestCode.PERSISTED_QUERY_NOT_SUPPORTED, _NOT_SUPPORTED)
        if not parameters.query:
            found = await self._store.find(sha256)
            if found is None:
                raise _refused(RequestCode.PERSISTED_QUERY_NOT_FOUND, _NOT_FOUND)
            return await self._prepare(parameters, found, presence)
        prepared = await self._prepare(parameters, parameters.query, presence)
        if may_tell and len(parameters.query) <= KEPT_MAX_CHARACTERS:
            await self._store.keep(sha256, parameters.query)
        return prepared

    async def _prepare(
        self, parameters: Parameters, document: str, presence: Presence
    ) -> tuple[Parameters, PreparedOperation]:
        operation = await self._documents.prepare_beside(document, parameters.operation_name, presence)
        return (parameters if document is parameters.query else replace(parameters, query=document)), operation


def _hash_in(parameters: Parameters) -> str | None:
    """The hash by which a request names its document, if it does."""
    extension = parameters.extensions.get(PERSISTED_QUERY)
    if extension is None:
        return None
    if not isinstance(extension, dict) or extension.get("version") != _VERSION:
        message = f'`{PERSISTED_QUERY}` is {{"version": {_VERSION}, "sha256Hash": "…"}}; other versions are not taken.'
        raise RequestError(RequestCode.BAD_REQUEST, message)
    sha256 = extension.get("sha256Hash")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        message = f"`{PERSISTED_QUERY}.sha256Hash` is not a SHA-256 in 64 lower-case hexadecimal digits."
        raise RequestError(RequestCode.BAD_REQUEST, message)
    if parameters.query and sha256_of(parameters.query) != sha256:
        message = f"`{PERSISTED_QUERY}.sha256Hash` is not the SHA-256 of `query`."
        raise RequestError(RequestCode.PERSISTED_QUERY_MISMATCH, message)
    return sha256


def _refused(code: RequestCode, message: str) -> RefusedDocumentError:
    return RefusedDocumentError([with_code(GraphQLError(message), code)])
