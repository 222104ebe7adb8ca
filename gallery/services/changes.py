"""A change that may leave single values as they are."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, TypeVar

T = TypeVar("T")


class Keep(Enum):
    """The one value that means: leave it as it is. None means: remove it."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


def kept(change: T | Literal[Keep.KEEP], current: T) -> T:
    """The new value, or the current one if it is to be kept."""
    return current if change is KEEP else change
