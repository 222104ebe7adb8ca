"""Requests that came in one piece, and how each is answered if its very bytes come again."""

from __future__ import annotations

from typing import Final

from gallery.web.again import Repeats, Sendable

MAX_BYTES: Final = 8 * 1024
"""How long a request may be to be remembered."""
_MAX_REMEMBERED: Final = 1000

Bytes = tuple[str | None, bytes]
"""The address of a client, and a request. A proxy is believed what others are not, by its address."""


class Repetitions:
    """The requests of all connections of a process, the oldest forgotten first."""

    def __init__(self, max_remembered: int = _MAX_REMEMBERED) -> None:
        self._max_remembered = max_remembered
        self._answers: dict[Bytes, Repeats[Sendable]] = {}

    def find(self, request: Bytes) -> Repeats[Sendable] | None:
        """How the request is answered, if that is known."""
        return self._answers.get(request)

    def keep(self, request: Bytes, again: Repeats[Sendable]) -> None:
        """Remembers how the request is answered."""
        while len(self._answers) >= self._max_remembered:
            self.forget(next(iter(self._answers)))
        self._answers[request] = again

    def forget(self, request: Bytes) -> None:
        """Lets the request go the long way."""
        self._answers.pop(request, None)
