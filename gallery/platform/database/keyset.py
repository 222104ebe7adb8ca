"""Pages cut by keyset: rows after or before a sort value and, among equals, an id.

PostgreSQL compares both at once, as a row (chapter 9.25.5), so an index on the two is read from the bound on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Row, Select, literal, tuple_

from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.pages import Edge, Page, PageRequest, Position

SORT_VALUE = "sort_value"
"""The label of the column that the rows of a page are sorted by."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyset:
    """A page of a sorted list: what to ask for, and what to make of the answer."""

    value: ColumnElement[Any]
    id: Column[Any]
    descending: bool
    request: PageRequest

    def cut(self, statement: Select[Any]) -> Select[Any]:
        """The statement for the rows of the page, nearest bound first, and one more that tells whether they go on.

        Raises:
            InvalidInputError: INVALID_CURSOR if a bound holds a value of another kind than the list is sorted by.
        """
        return (
            statement.add_columns(self.value.label(SORT_VALUE))
            .where(*self._bounds())
            .order_by(*self.order(self.value, self.id))
            .limit(self.request.limit + 1)
        )

    def order(self, *columns: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        """The columns in the direction in which rows are read, which is against the list if the request is."""
        down = self.descending is not self.request.backward
        return [column.desc() if down else column.asc() for column in columns]

    def page(self, rows: Sequence[Row[Any]], item: Callable[[Row[Any]], T]) -> Page[T]:
        """The page that the rows of `cut` make; `item` makes an item of a row."""
        request = self.request
        goes_on = len(rows) > request.limit
        kept = rows[: request.limit]
        edges = tuple(Edge(item(row), Position(row.sort_value, row.id)) for row in kept)
        return Page(
            edges=edges[::-1] if request.backward else edges,
            has_next=request.before is not None if request.backward else goes_on,
            has_previous=goes_on if request.backward else request.after is not None,
        )

    def _bounds(self) -> list[ColumnElement[bool]]:
        bounds: list[ColumnElement[bool]] = []
        key = tuple_(self.value, self.id)
        if (after := self.request.after) is not None:
            place = self._place(after, "after")
            bounds.append(key < place if self.descending else key > place)
        if (before := self.request.before) is not None:
            place = self._place(before, "before")
            bounds.append(key > place if self.descending else key < place)
        return bounds

    def _place(self, position: Position, field: str) -> ColumnElement[Any]:
        if not isinstance(position.value, self.value.type.python_type):
            message = f"`{field}` is a cursor of a list with another sort order. Start again from the first page."
            raise InvalidInputError(ErrorCode.INVALID_CURSOR, message, field=(field,))
        return tuple_(literal(position.value, self.value.type), literal(position.id, self.id.type))
