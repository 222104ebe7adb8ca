"""What an answer was read from: the tags of everything that could make it wrong.

Readers that can tell report it, wherever in a request they are called. An answer of which something is not known is not
kept, so that whoever forgets to report costs time and is never wrong.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


class Footprint:
    """Tags, and whether they are all there are."""

    __slots__ = ("has_reports", "is_complete", "tags")

    def __init__(self) -> None:
        self.tags: set[str] = set()
        self.is_complete = True
        self.has_reports = False

    def add(self, tags: Iterable[str]) -> None:
        """Something was read that is wrong once one of these is dropped."""
        self.tags.update(tags)
        self.has_reports = True

    def spoil(self) -> None:
        """Something was read of which nobody tells when it becomes wrong."""
        self.is_complete = False

    @property
    def is_whole(self) -> bool:
        """Whether everything that was read is known. An answer that was made of nothing tells nothing of itself."""
        return self.is_complete and self.has_reports


_RECORDED: ContextVar[Footprint | None] = ContextVar("footprint", default=None)


@contextmanager
def recording() -> Iterator[Footprint]:
    """The footprint of what is read inside, by tasks that begin there too."""
    footprint = Footprint()
    token = _RECORDED.set(footprint)
    try:
        yield footprint
    finally:
        _RECORDED.reset(token)


def report(tags: Iterable[str]) -> None:
    """Tells the footprint of the request, if it has one, what is read for it."""
    footprint = _RECORDED.get()
    if footprint is not None:
        footprint.add(tags)


def spoil() -> None:
    """Tells the footprint of the request, if it has one, that something is read of which nobody hears."""
    footprint = _RECORDED.get()
    if footprint is not None:
        footprint.spoil()


async def followed(footprint: Footprint, read: Callable[[], Awaitable[T]]) -> T:
    """What a read gives. It must report something itself, or spoils the footprint: others may report meanwhile."""
    with recording() as own:
        answer = await read()
    footprint.add(own.tags)
    if not own.is_whole:
        footprint.spoil()
    return answer
