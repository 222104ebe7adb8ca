"""The answer to a request whose very bytes come again, as long as it is kept."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Final

from graphql import OperationType

from gallery.domain.metrics import OperationOutcome, WebMetrics
from gallery.domain.response_ports import KeptResponse
from gallery.web.again import Ready
from gallery.web.graphql.kept import Asked, ResponseKeeper, head_and_body

_QUERY: Final = OperationType.QUERY.value


class KeptAgain:
    """Gives the answer of the moment; its head is made anew if the answer is another one by now.

    The bytes of the answer are not held: what the cache forgets is gone.
    """

    __slots__ = ("_asked", "_is_of", "_keeper", "_key", "_metrics", "_ready", "is_far")

    def __init__(self, keeper: ResponseKeeper, key: bytes, asked: Asked, metrics: WebMetrics, *, is_far: bool) -> None:
        self.is_far = is_far
        self._keeper = keeper
        self._key = key
        self._asked = asked
        self._metrics = metrics
        self._is_of: tuple[str, int] | None = None
        """Of which answer the head is: a coder may write the same body in other bytes tomorrow."""
        self._ready: Ready | None = None

    def now(self) -> Ready | None:
        """The answer, if this process has it in the coding that is taken."""
        started = time.perf_counter()
        return self._counted(self._keeper.cache.find(self._key), started)

    async def later(self) -> Ready | None:
        """The answer, if it lies farther away."""
        started = time.perf_counter()
        return self._counted(await self._keeper.cache.look(self._key), started)

    def _counted(self, kept: KeptResponse | None, started: float) -> Ready | None:
        ready = None if kept is None else self._ready_of(kept)
        if ready is not None:
            self._metrics.operation(_QUERY, OperationOutcome.OK, time.perf_counter() - started)
        return ready

    def _ready_of(self, kept: KeptResponse) -> Ready | None:
        coding = self._keeper.codings.known(self._asked.accept_encoding, len(kept.body))
        body = kept.encoded.get(coding) if coding else kept.body
        if coding is None or body is None:
            return None
        is_of = kept.digest, len(body)
        if self._ready is None or is_of != self._is_of:
            self._is_of, self._ready = is_of, head_and_body(kept, self._asked, coding)._replace(body=b"")
        status, headers, _ = self._ready
        return Ready(status, headers, body if status == HTTPStatus.OK else b"")
