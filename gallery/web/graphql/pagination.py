"""Relay connections over keyset pages (Relay cursor connections specification), and their cursors.

A cursor holds the position of an edge and a fingerprint of the list that it belongs to, so that a cursor used with
another sort or filter is refused instead of giving a wrong page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import orjson
import strawberry

from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.pages import DEFAULT_PAGE_SIZE, Page, PageRequest, Position, SortValue

T = TypeVar("T")
E = TypeVar("E")

First = Annotated[
    int | None,
    strawberry.argument(
        description="How many items from the start, 1 to 100. 20 if neither `first` nor `last` is given."
    ),
]
After = Annotated[str | None, strawberry.argument(description="Only items after this cursor.")]
Last = Annotated[
    int | None, strawberry.argument(description="How many items from the end, 1 to 100. Not together with `first`.")
]
Before = Annotated[str | None, strawberry.argument(description="Only items before this cursor.")]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_KEY_MAX = 2**63 - 1


@strawberry.type(description="Where a page lies in its list, and how to get the next one.")
class PageInfo:
    """As the Relay specification has it."""

    page: strawberry.Private[Page[Any]]
    listing: strawberry.Private[Listing]
    has_next_page: bool = strawberry.field(description="Whether more items follow this page.")
    has_previous_page: bool = strawberry.field(description="Whether items come before this page.")

    @strawberry.field(description="The cursor of the first item; null on an empty page.")
    def start_cursor(self) -> str | None:
        """Made only when asked for."""
        return self._cursor(0)

    @strawberry.field(description="The cursor of the last item; null on an empty page.")
    def end_cursor(self) -> str | None:
        """Made only when asked for."""
        return self._cursor(-1)

    def _cursor(self, place: int) -> str | None:
        positions = self.page.positions
        return self.listing.cursor(positions[place]) if positions else None


@strawberry.type(description="An item of a list and its place in it.")
class Edge(Generic[T]):
    """As the Relay specification has it."""

    node: T = strawberry.field(description="The item.")
    listing: strawberry.Private[Listing]
    position: strawberry.Private[Position]

    @strawberry.field(description="The place in the list, for `after` and `before`.")
    def cursor(self) -> str:
        """Made only when asked for."""
        return self.listing.cursor(self.position)


@strawberry.type(description="One page of a list.")
class Connection(Generic[T]):
    """As the Relay specification has it, with `nodes` as a short way and `totalCount`."""

    page: strawberry.Private[Page[Any]]
    listing: strawberry.Private[Listing]
    node: strawberry.Private[Callable[[Any], Any]]
    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @strawberry.field(description="The items with their cursors.")
    def edges(self) -> list[Edge[T]]:
        """Made only when asked for."""
        node, listing, page = self.node, self.listing, self.page
        return [
            Edge(node=node(item), listing=listing, position=position)
            for item, position in zip(page.items, page.positions, strict=True)
        ]

    @strawberry.field(description="The items alone.")
    def nodes(self) -> list[T]:
        """Made only when asked for."""
        return list(map(self.node, self.page.items))

    @strawberry.field(description="Where this page lies in the list.")
    def page_info(self) -> PageInfo:
        """Made only when asked for."""
        page = self.page
        return PageInfo(
            page=page, listing=self.listing, has_next_page=page.has_next, has_previous_page=page.has_previous
        )

    @strawberry.field(description="How many items the whole list has.")
    async def total_count(self) -> int:
        """Counted only when asked for."""
        return await self.count()


@dataclass(frozen=True)
class Listing:
    """A sorted and filtered list, told from others by a fingerprint of what it was asked with."""

    criteria: tuple[object, ...]

    @classmethod
    def of(cls, *criteria: object) -> Listing:
        """The list that these criteria, whose `repr` is stable, describe."""
        return cls(criteria)

    @cached_property
    def fingerprint(self) -> str:
        """Made only when a cursor is."""
        return hashlib.blake2s(repr(self.criteria).encode(), digest_size=6).hexdigest()

    def cursor(self, position: Position) -> str:
        """The cursor of a position."""
        value = position.value
        packed: list[object] = [self.fingerprint, position.id.hex]
        if isinstance(value, datetime):
            packed += ["t", (value - _EPOCH) // _MICROSECOND]
        else:
            packed += ["s" if isinstance(value, str) else "i", value]
        return base64.urlsafe_b64encode(orjson.dumps(packed)).rstrip(b"=").decode()

    def position(self, cursor: str, *, field: str) -> Position:
        """The position that a cursor of this list stands for.

        Raises:
            InvalidInputError: INVALID_CURSOR if it is no cursor, or one of another list.
        """
        try:
            fingerprint, id_, kind, value = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            position = Position(_sort_value(kind, value), UUID(id_))
        except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error):
            message = f"`{field}` is not a cursor of the gallery. Use a cursor as the API returned it."
            raise InvalidInputError(ErrorCode.INVALID_CURSOR, message, field=(field,)) from None
        if fingerprint != self.fingerprint:
            message = (
                f"`{field}` is a cursor of a list with another filter or sort order. "
                "Start again from the first page when you change either."
            )
            raise InvalidInputError(ErrorCode.INVALID_CURSOR, message, field=(field,))
        return position

    def page_request(self, first: int | None, after: str | None, last: int | None, before: str | None) -> PageRequest:
        """What the arguments of a connection ask for.

        Raises:
            InvalidInputError: INVALID_PAGE_SIZE or INVALID_CURSOR.
        """
        if first is not None and last is not None:
            message = "`first` and `last` do not go together. Give one of them."
            raise InvalidInputError(ErrorCode.INVALID_PAGE_SIZE, message, field=("last",))
        limit = last if first is None else first
        return PageRequest(
            limit=DEFAULT_PAGE_SIZE if limit is None else limit,
            after=None if after is None else self.position(after, field="after"),
            before=None if before is None else self.position(before, field="before"),
            backward=last is not None,
        )

    def connection(
        self, page: Page[E], node: Callable[[E], Any], count: Callable[[], Awaitable[int]]
    ) -> Connection[Any]:
        """The page as a connection of the nodes that its items are shown as."""
        return Connection(page=page, listing=self, node=node, count=count)


def _sort_value(kind: object, value: object) -> SortValue:
    """The value of a cursor, checked: a cursor comes from outside."""
    if kind == "s" and isinstance(value, str) and "\0" not in value:
        return value
    if isinstance(value, int) and abs(value) <= _KEY_MAX:
        if kind == "i":
            return value
        if kind == "t":
            return _EPOCH + value * _MICROSECOND
    raise ValueError(kind)
