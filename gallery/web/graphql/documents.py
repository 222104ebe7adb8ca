"""Documents that were found valid, so that the next request with one need not look again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Final

import strawberry

from gallery.compiler import Segmented
from gallery.settings_limits import LimitSettings
from gallery.web.errors import BusyError, RequestCode
from gallery.web.graphql.execution import PreparedOperation, prepare
from gallery.web.graphql.leaving import SOMEBODY, Presence
from gallery.web.graphql.validation import DEFAULT_LIMITS

KEPT_BYTES: Final = 32 * 1024 * 1024
"""What all documents that are kept may take. An ordinary one takes some hundred kilobytes."""
SHORT_CHARACTERS: Final = 512
"""Up to here a document is prepared at once, in some milliseconds at most; longer ones in a thread."""
WAITING_MAX: Final = 100
"""How many long documents may wait for their turn: a second's work if they are ordinary, ten if they are hostile."""
RETRY_AFTER_SECONDS: Final = 1

_Key = tuple[str, str | None]


class TooManyDocumentsError(BusyError):
    """More documents wait than anybody would want to wait for."""

    def __init__(self) -> None:
        message = "Too many new documents wait to be looked at. Send yours again in a moment."
        super().__init__(RequestCode.TOO_MANY_DOCUMENTS, message, RETRY_AFTER_SECONDS)


class Documents:
    """Prepares documents, and keeps what clients send again and again.

    What a stranger can make the gallery remember is bounded by what it takes in memory, and pushes out nothing that
    was used again. A document that takes long is looked at in a thread, so that other requests go on meanwhile; one
    after the other, so that a stream of them leaves most of the processor to all others. Nothing is done for clients
    that left while they waited, and no more than `waiting_max` different documents wait.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        kept_bytes: int = KEPT_BYTES,
        waiting_max: int = WAITING_MAX,
        limits: LimitSettings = DEFAULT_LIMITS,
    ) -> None:
        self._schema = schema
        self._limits = limits
        self._known: Segmented[_Key, PreparedOperation] = Segmented(kept_bytes)
        self._waiting: Counter[_Key] = Counter()
        self._waiting_max = waiting_max
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
        return self._known.get(key) or self._kept(prepare(self._schema, query, operation_name, self._limits), key)

    async def prepare_beside(
        self, query: str, operation_name: str | None, presence: Presence = SOMEBODY
    ) -> PreparedOperation:
        """The same, while other requests go on.

        Raises:
            RefusedDocumentError: as `prepare`.
            TooManyDocumentsError: if this one is long, and as many as may wait do.
            ClientDisconnectedError: as `presence` has it.
        """
        key = query, operation_name
        found = self._known.get(key)
        if found is not None:
            return found
        if len(query) <= SHORT_CHARACTERS:
            return self.prepare(query, operation_name)
        with self._queued(key):
            async with presence, self._turn:
                await presence.look()
                found = self._known.get(key) or await self._prepare_in_thread(key)  # somebody may have sent it, too
                await presence.look()
                return found

    @contextmanager
    def _queued(self, key: _Key) -> Generator[None]:
        """Counts those who wait, or are at it; who sends what is waited for already adds no work."""
        if key not in self._waiting and len(self._waiting) >= self._waiting_max:
            raise TooManyDocumentsError
        self._waiting[key] += 1
        try:
            yield
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key]

    async def _prepare_in_thread(self, key: _Key) -> PreparedOperation:
        work = partial(prepare, self._schema, *key, self._limits)
        return self._kept(await asyncio.get_running_loop().run_in_executor(self._thread, work), key)

    def _kept(self, operation: PreparedOperation, key: _Key) -> PreparedOperation:
        self._known.put(key, operation, operation.size_bytes)
        return operation
