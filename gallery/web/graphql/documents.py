"""Documents that were found valid, so that the next request with one need not look again."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import strawberry

from gallery.compiler import Segmented
from gallery.web.graphql.execution import PreparedOperation, prepare

KEPT_BYTES: Final = 32 * 1024 * 1024
"""What all documents that are kept may take. An ordinary one takes some hundred kilobytes."""
SHORT_CHARACTERS: Final = 512
"""Up to here a document is prepared at once, in some milliseconds at most; longer ones in a thread."""


class Documents:
    """Prepares documents, and keeps what clients send again and again.

    What a stranger can make the gallery remember is bounded by what it takes in memory, and pushes out nothing that
    was used again. A document that takes long is looked at in a thread, so that other requests go on meanwhile; one
    after the other, so that a stream of them leaves most of the processor to all others.
    """

    def __init__(self, schema: strawberry.Schema, kept_bytes: int = KEPT_BYTES) -> None:
        self._schema = schema
        self._known: Segmented[tuple[str, str | None], PreparedOperation] = Segmented(kept_bytes)
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="documents")

    @property
    def size_bytes(self) -> int:
        """About what is kept takes."""
        return self._known.weight

    def prepare(self, query: str, operation_name: str | None) -> PreparedOperation:
        """A valid document, ready to be executed.

        Raises:
            RefusedDocumentError: as `prepare` of `execution.py`.
        """
        key = query, operation_name
        return self._known.get(key) or self._kept(prepare(self._schema, query, operation_name), key)

    async def prepare_beside(self, query: str, operation_name: str | None) -> PreparedOperation:
        """The same, while other requests go on.

        Raises:
            RefusedDocumentError: as `prepare`.
        """
        key = query, operation_name
        found = self._known.get(key)
        if found is not None:
            return found
        if len(query) <= SHORT_CHARACTERS:
            return self.prepare(query, operation_name)
        async with self._turn:
            found = self._known.get(key)  # somebody may have sent it at the same time
            if found is not None:
                return found
            work = partial(prepare, self._schema, query, operation_name)
            return self._kept(await asyncio.get_running_loop().run_in_executor(self._thread, work), key)

    def _kept(self, operation: PreparedOperation, key: tuple[str, str | None]) -> PreparedOperation:
        self._known.put(key, operation, operation.size_bytes)
        return operation
