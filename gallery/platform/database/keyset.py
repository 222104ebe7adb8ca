"""Pages cut by keyset: rows after or before a sort value and, among equals, an id.

PostgreSQL compares both at once, as a row (chapter 9.25.5), so an index on the two is read from the bound on. What
changes from page to page are values of parameters: one statement serves all pages of a list.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, overload

import asyncpg
from sqlalchemy import Column, ColumnElement, Integer, Select, bindparam, select, tuple_, union_all
from sqlalchemy.dialects.postgresql import distinct_on

from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.pages import Page, PageRequest, Position

SORT_VALUE: Final = "sort_value"
"""The label of the column that the rows of a page are sorted by."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyset:
    """A page of a sorted list: what to ask for, and what to make of the answer."""

    value: ColumnElement[Any]
    id: Column[Any]
    descending: bool
    request: PageRequest

    @property
    def form(self) -> Hashable:
        """What tells statements for pages of the same list apart."""
        request = self.request
        return self.descending, request.backward, request.after is None, request.before is None

    @property
    def values(self) -> dict[str, Any]:
        """The values of the parameters that `cut` adds.

        Raises:
            InvalidInputError: INVALID_CURSOR if a bound holds a value of another kind than the list is sorted by.
        """
        request = self.request
        values: dict[str, Any] = {"limit": request.limit + 1}
        for name, bound in (("after", request.after), ("before", request.before)):
            if bound is not None:
                self._check(bound, name)
                values[f"{name}_value"], values[f"{name}_id"] = bound.value, bound.id
        return values

    def cut(self, statement: Select[Any]) -> Select[Any]:
        """The statement for the rows of the page, nearest bound first, and one more that tells whether they go on."""
        return (
            statement.add_columns(self.value.label(SORT_VALUE))
            .where(*self._bounds())
            .order_by(*self.order(self.value, self.id))
            .limit(bindparam("limit", type_=Integer))
        )

    def merged(self, parts: Sequence[Select[Any]]) -> Select[Any]:
        """The statement for the same rows of a list in parts, each of which `cut` has made of another.

        What is in several parts is there once.
        """
        rows = union_all(*parts).subquery("parts")
        key = rows.c[SORT_VALUE], rows.c.id
        return (
            select(*rows.c).ext(distinct_on(*key)).order_by(*self.order(*key)).limit(bindparam("limit", type_=Integer))
        )

    def order(self, *columns: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        """The columns in the direction in which rows are read, which is against the list if the request is."""
        down = self.descending is not self.request.backward
        return [column.desc() if down else column.asc() for column in columns]

    def page(
        self, rows: Sequence[asyncpg.Record], things: Callable[[Sequence[asyncpg.Record]], tuple[T, ...]]
    ) -> Page[T]:
        """The page that the rows of `cut` make; `things` makes things of rows."""
        request = self.request
        goes_on = len(rows) > request.limit
        kept = rows[: request.limit]
        if request.backward:
            kept = kept[::-1]
        return Page(
            items=things(kept),
            positions=_Positions(kept),
            has_next=request.before is not None if request.backward else goes_on,
            has_previous=goes_on if request.backward else request.after is not None,
        )

    def _bounds(self) -> list[ColumnElement[bool]]:
        bounds: list[ColumnElement[bool]] = []
        key = tuple_(self.value, self.id)
        if self.request.after is not None:
            place = self._place("after")
            bounds.append(key < place if self.descending else key > place)
        if self.request.before is not None:
            place = self._place("before")
            bounds.append(key > place if self.descending else key < place)
        return bounds

    def _place(self, name: str) -> ColumnElement[Any]:
        value = bindparam(f"{name}_value", type_=self.value.type)
        return tuple_(value, bindparam(f"{name}_id", type_=self.id.type))

    def _check(self, position: Position, field: str) -> None:
        if not isinstance(position.value, self.value.type.python_type):
            message = f"`{field}` is a cursor of a list with another sort order. Start again from the first page."
            raise InvalidInputError(ErrorCode.INVALID_CURSOR, message, field=(field,))


class _Positions(Sequence[Position]):
    """The positions of rows, each made when somebody looks at it."""

    def __init__(self, rows: Sequence[asyncpg.Record]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Position]:
        return map(_position, self._rows)

    @overload
    def __getitem__(self, index: int) -> Position: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Position]: ...
    def __getitem__(self, index: int | slice) -> Position | Sequence[Position]:
        return _Positions(self._rows[index]) if isinstance(index, slice) else _position(self._rows[index])

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as that of a list


def _position(row: asyncpg.Record) -> Position:
    return Position(row[SORT_VALUE], row["id"])
