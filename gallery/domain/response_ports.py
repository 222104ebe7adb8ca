"""What the web needs to keep whole answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeResponse:
    """An answer that was just made, with the tags of what it was read from.

    `encoded` are its bytes by the content codings in which they have been sent.
    """

    body: bytes
    tags: frozenset[str]
    encoded: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptResponse:
    """An answer that is as good as a new one. `digest` tells its body from all others.

    `encoded` takes its bytes in other content codings as they are asked for; together no more than `body` has.
    """

    body: bytes
    digest: str
    encoded: dict[str, bytes] = field(default_factory=dict)

    def keep_encoded(self, coding: str, body: bytes) -> None:
        """Keeps the bytes for the next who asks, if there is room."""
        if len(body) + sum(map(len, self.encoded.values())) <= len(self.body):
            self.encoded[coding] = body


Make = Callable[[], Awaitable[MadeResponse | None]]
"""Makes an answer, or None if it is not to be kept."""


class ResponseCache(Protocol):
    """Whole answers by their keys, which tell apart everything that answers depend on beside what is stored."""

    def find(self, key: bytes) -> KeptResponse | None:
        """An answer that this process has, and that no write has made wrong which was acknowledged by now."""
        ...

    async def look(self, key: bytes) -> KeptResponse | None:
        """An answer that lies where it has to be asked for, if this process keeps none itself."""
        ...

    async def get(self, key: bytes, make: Make) -> KeptResponse | None:
        """An answer that somebody has, or that is made now, once for all who ask at the same time.

        None if it is not to be kept: whoever was not the one to make it then makes its own.
        """
        ...
