"""Lists: what to show of them, in which order, and one page of the answer.

Pages are cut by keyset, not by offset: a position is the sort value and the id of an edge, so a page costs the
same wherever it lies, and nothing is shown twice when something is added meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique
from typing import Generic, Self, TypeVar
from uuid import UUID

from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.ids import AlbumId  # dataclass fields are read at run time
from gallery.domain.images import ContentType  # as above

MAX_PAGE_SIZE = 100
DEFAULT_PAGE_SIZE = 20

SortValue = str | int | datetime
"""What a list may be sorted by."""

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a sorted list: the sort value of an item and, among equals, its id."""

    value: SortValue
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """Which part of a list is asked for.

    Forward: the first `limit` items after `after`; backward: the last `limit` items before `before`. Both bounds
    may be given in either direction. Items always come in the order of the list.
    """

    limit: int = DEFAULT_PAGE_SIZE
    after: Position | None = None
    before: Position | None = None
    backward: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_PAGE_SIZE:
            field = "last" if self.backward else "first"
            message = f"`{field}` is {self.limit}; it takes 1 to {MAX_PAGE_SIZE}."
            raise InvalidInputError(ErrorCode.INVALID_PAGE_SIZE, message, field=(field,))


@dataclass(frozen=True, slots=True)
class Edge(Generic[T_co]):
    """An item of a list with its position in it."""

    item: T_co
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T_co]):
    """A part of a list, in the order of the list: its items, and as many positions.

    Positions may be made when they are looked at: many are shown without.

    `has_next` and `has_previous` are exact in the direction of the request. Against it, they say whether a bound
    was given on that side (Relay connections, section 4.4 allows that).
    """

    items: Sequence[T_co]
    positions: Sequence[Position]
    has_next: bool
    has_previous: bool

    @classmethod
    def of(cls, edges: Sequence[Edge[T_co]], *, has_next: bool, has_previous: bool) -> Self:
        """The page with these edges."""
        return cls(
            items=tuple(edge.item for edge in edges),
            positions=tuple(edge.position for edge in edges),
            has_next=has_next,
            has_previous=has_previous,
        )

    @property
    def edges(self) -> tuple[Edge[T_co], ...]:
        """The items with their positions."""
        return tuple(map(Edge, self.items, self.positions))


@unique
class TagMode(StrEnum):
    """How several tags of a filter go together."""

    ANY = "ANY"
    ALL = "ALL"


@unique
class ImageSortField(StrEnum):
    """What images can be sorted by. Titles sort without regard to case."""

    UPLOADED_AT = "UPLOADED_AT"
    TITLE = "TITLE"
    FILE_SIZE = "FILE_SIZE"


@unique
class AlbumSortField(StrEnum):
    """What albums can be sorted by. Titles sort without regard to case."""

    TITLE = "TITLE"
    CREATED_AT = "CREATED_AT"
    UPDATED_AT = "UPDATED_AT"


@unique
class Direction(StrEnum):
    """Which end of a sorted list comes first."""

    ASC = "ASC"
    DESC = "DESC"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFilter:
    """Which images to list; what is None or empty does not narrow the list.

    `text` is looked for in title and original file name, without regard to case. `uploaded_from` is part of the
    range, `uploaded_to` is not.
    """

    text: str | None = None
    tag_names: tuple[str, ...] = ()
    tag_mode: TagMode = TagMode.ANY
    album_id: AlbumId | None = None
    content_types: tuple[ContentType, ...] = ()
    uploaded_from: datetime | None = None
    uploaded_to: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageQuery:
    """One page of the images that a filter leaves, sorted. Equal sort values are ordered by id."""

    filter: ImageFilter = ImageFilter()
    sort_field: ImageSortField = ImageSortField.UPLOADED_AT
    direction: Direction = Direction.DESC
    page: PageRequest = PageRequest()


@dataclass(frozen=True, slots=True, kw_only=True)
class TagQuery:
    """One page of the tags by name. `text` is looked for in the name, without regard to case."""

    text: str | None = None
    page: PageRequest = PageRequest()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlbumQuery:
    """One page of the albums. `text` is looked for in the title, without regard to case."""

    text: str | None = None
    sort_field: AlbumSortField = AlbumSortField.CREATED_AT
    direction: Direction = Direction.DESC
    page: PageRequest = PageRequest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentTypeStats:
    """How many images of a type there are, and the bytes of their originals."""

    content_type: ContentType
    image_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryStats:
    """What the gallery holds. Content types come in the order of their count, largest first."""

    image_count: int
    tag_count: int
    album_count: int
    size_bytes: int
    content_types: tuple[ContentTypeStats, ...]
