"""How values look as bytes: JSON of the fields of an entity.

Reading checks every field, so that damaged or foreign bytes are an error and never a wrong entity.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final, Generic, TypeVar
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from gallery.domain.albums import Album
from gallery.domain.images import Image, Rendition
from gallery.domain.pages import ContentTypeStats, Edge, GalleryStats, Page, Position
from gallery.domain.tags import Tag

T = TypeVar("T")

_ENVELOPE: Final = 1
"""Raise when entries change in another way than by a field."""


class Codec(Generic[T]):
    """Values of one type."""

    def __init__(self, adapter: TypeAdapter[T]) -> None:
        self._adapter = adapter

    def encode(self, value: T) -> bytes:
        """The value as JSON."""
        return orjson.dumps(value, default=_plain)

    def decode(self, encoded: bytes) -> T:
        """The value again.

        Raises:
            ValueError: if the bytes are of no such value.
        """
        return self._adapter.validate_json(encoded, strict=True)


def _plain(value: object) -> str:
    """What orjson refuses to encode: the driver of the database has a class of its own for ids."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A page without its items: their positions, which hold their ids.

    JSON does not tell a time from a text; only one of the three lists of sort values is filled.
    """

    ids: tuple[UUID, ...]
    texts: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    times: tuple[datetime, ...] = ()
    has_next: bool
    has_previous: bool

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.texts) + len(self.numbers) + len(self.times):
            message = f"{len(self.ids)} ids do not have as many sort values"
            raise ValueError(message)

    @classmethod
    def of(cls, page: Page[T]) -> Outline:
        """What to keep of a page."""
        values = [position.value for position in page.positions]
        return cls(
            ids=tuple(position.id for position in page.positions),
            texts=tuple(value for value in values if isinstance(value, str)),
            numbers=tuple(value for value in values if isinstance(value, int)),
            times=tuple(value for value in values if isinstance(value, datetime)),
            has_next=page.has_next,
            has_previous=page.has_previous,
        )

    def filled(self, items: dict[UUID, T]) -> Page[T]:
        """The page with its items; one that is gone since is left out."""
        positions = map(Position, self.texts or self.numbers or self.times, self.ids)
        return Page.of(
            tuple(Edge(items[position.id], position) for position in positions if position.id in items),
            has_next=self.has_next,
            has_previous=self.has_previous,
        )


def fingerprint(*types: type[object]) -> bytes:
    """Tells layouts of dataclasses apart."""
    layout = [(type_.__name__, [(field.name, field.type) for field in fields(type_)]) for type_ in types]  # type: ignore[arg-type]  # dataclasses, which no annotation tells
    return hashlib.blake2s(repr((_ENVELOPE, layout)).encode(), digest_size=3).hexdigest().encode()


FORMAT: Final = fingerprint(Album, ContentTypeStats, GalleryStats, Image, Outline, Rendition, Tag)
"""Begins every entry. Changes with the fields of what is kept, so that no release reads another one's layout."""
