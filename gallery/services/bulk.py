"""What changes of many things at once have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.ids import ImageId
from gallery.domain.images import Image

MAX_BULK_ITEMS = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """What became of each image: it has what was asked for, or is missing, or the viewer may not change it."""

    images: dict[ImageId, Image]
    missing: tuple[ImageId, ...]
    refused: frozenset[ImageId] = frozenset()

    @classmethod
    def of(cls, wanted: Sequence[ImageId], found: dict[ImageId, Image], *, refused: Iterable[ImageId] = ()) -> Self:
        """The result of a change of those that were found."""
        told = frozenset(refused)
        missing = tuple(id_ for id_ in wanted if id_ not in found and id_ not in told)
        return cls(images=found, missing=missing, refused=told)


def distinct(items: Sequence[T], *, field: tuple[str, ...]) -> list[T]:
    """The items in their order, each once.

    Raises:
        InvalidInputError: TOO_MANY_ITEMS for more than 100.
    """
    check_count(items, field=field)
    return list(dict.fromkeys(items))


def check_count(items: Sequence[object], *, field: tuple[str, ...]) -> None:
    """Passes if there are few enough items for one change.

    Raises:
        InvalidInputError: TOO_MANY_ITEMS for more than 100.
    """
    if len(items) > MAX_BULK_ITEMS:
        message = f"`{field[-1]}` has {len(items):,} items; at most {MAX_BULK_ITEMS} are taken at once."
        raise InvalidInputError(ErrorCode.TOO_MANY_ITEMS, message, field=field)
