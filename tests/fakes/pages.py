"""Pages of lists in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from gallery.domain.pages import Edge, Page, PageRequest, Position

T = TypeVar("T")


def page_of(edges: Iterable[Edge[T]], request: PageRequest, *, descending: bool = False) -> Page[T]:
    """The part of a list that is asked for; the edges may come in any order."""
    ordered = sorted(edges, key=lambda edge: _rank(edge.position), reverse=descending)
    inside = [edge for edge in ordered if _is_inside(edge.position, request, descending=descending)]
    cut = len(inside) > request.limit
    if request.backward:
        return Page.of(tuple(inside[-request.limit :]), has_previous=cut, has_next=request.before is not None)
    return Page.of(tuple(inside[: request.limit]), has_previous=request.after is not None, has_next=cut)


def contains(text: str, wanted: str | None) -> bool:
    """Whether the wanted text occurs, without regard to case; nothing wanted always does."""
    return wanted is None or wanted.lower() in text.lower()


def _rank(position: Position) -> tuple[Any, bytes]:
    """What positions of one list are compared by; their values are all of one type."""
    return position.value, position.id.bytes


def _is_inside(position: Position, request: PageRequest, *, descending: bool) -> bool:
    rank = _rank(position)
    lower, upper = (request.before, request.after) if descending else (request.after, request.before)
    return (lower is None or rank > _rank(lower)) and (upper is None or rank < _rank(upper))
