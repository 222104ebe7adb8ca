"""Readers that tell the footprint of a request what is read through them; whatever else it touches spoils that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from gallery.domain.footprints import Footprint, followed
from gallery.domain.records import Fields, Records

if TYPE_CHECKING:
    from gallery.web.graphql.context import UseCases

READERS: Final = frozenset({"image_reader", "tag_reader", "album_reader"})
"""Use cases whose every method reports what it reads, or spoils the footprint."""


def watched(use_cases: UseCases, footprint: Footprint) -> UseCases:
    """The use cases for a request whose answer may be kept."""
    return cast("UseCases", _WatchedUseCases(use_cases, footprint))


class _WatchedUseCases:
    """Only readers can tell what an answer depends on: asking for anything else spoils it."""

    def __init__(self, use_cases: UseCases, footprint: Footprint) -> None:
        self._use_cases = use_cases
        self._footprint = footprint

    def __getattr__(self, name: str) -> object:
        found: object = getattr(self._use_cases, name)
        if name in READERS:
            return _WatchedReader(found, self._footprint)
        self._footprint.spoil()
        return found

    def records(self, fields: Fields | None) -> Records:
        """Readers of records, which can tell as well."""
        records = self._use_cases.records(fields)
        readers = {
            name: cast("Any", _WatchedReader(getattr(records, name), self._footprint))
            for name in ("images", "tags", "albums")
        }
        return Records(**readers)


class _WatchedReader:
    """A reader of which every method is followed."""

    def __init__(self, reader: object, footprint: Footprint) -> None:
        self._reader = reader
        self._footprint = footprint

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method: Callable[..., Awaitable[Any]] = getattr(self._reader, name)

        def read(*arguments: object, **keywords: object) -> Awaitable[Any]:
            return followed(self._footprint, partial(method, *arguments, **keywords))

        return read
