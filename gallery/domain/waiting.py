"""How long whoever asks for something waits for its turn, and how many may wait beside it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Hashable
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from typing import Final

from gallery.domain.errors import OverloadedError


class Places:
    """The places of a line. One asker has half of them at most, so that others find some."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._most_of_one = max(1, most // 2)
        self._of: Counter[Hashable] = Counter()
        self.taken = 0
        """How many there are who wait."""

    @contextmanager
    def held(self, asker: Hashable) -> Generator[None]:
        """Holds a place while somebody waits.

        Raises:
            OverloadedError: if there is none, or the asker has its share of them.
        """
        if self.taken >= self._most or self._of[asker] >= self._most_of_one:
            raise OverloadedError
        self.taken += 1
        self._of[asker] += 1
        try:
            yield
        finally:
            self.taken -= 1
            self._of[asker] -= 1
            if not self._of[asker]:
                del self._of[asker]


@dataclass(slots=True, kw_only=True)
class Patience:
    """How long a request waits for a connection to the database, `seconds` each time, and in which places.

    It becomes `endless` once giving up would do harm: when something was written, or a file is on its way.
    """

    asker: Hashable
    seconds: float
    places: Places
    is_endless: bool = False


PATIENCE: Final[ContextVar[Patience | None]] = ContextVar("patience", default=None)
"""That of the request at hand; what is no request waits for as long as anybody does."""


def context_of_others() -> Context:
    """The context of work that is done for several requests: it waits for as long as anybody does."""
    context = copy_context()
    context.run(PATIENCE.set, None)
    return context


@asynccontextmanager
async def own_patience() -> AsyncGenerator[None]:
    """Waits for such work no longer than the request at hand does for a connection.

    Raises:
        OverloadedError: if it took longer.
    """
    patience = PATIENCE.get()
    seconds = None if patience is None or patience.is_endless else patience.seconds
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if limit.expired():
            raise OverloadedError from error
        raise


def grow_endless() -> None:
    """From now on the request at hand waits for as long as anybody does."""
    if (patience := PATIENCE.get()) is not None:
        patience.is_endless = True
