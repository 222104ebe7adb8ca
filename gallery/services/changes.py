"""A change that may leave single values as they are, and what it has changed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, Literal, TypeVar

from gallery.domain.events import JsonValue

T = TypeVar("T")


class Keep(Enum):
    """The one value that means: leave it as it is. None means: remove it."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


def kept(change: T | Literal[Keep.KEEP], current: T) -> T:
    """The new value, or the current one if it is to be kept."""
    return current if change is KEEP else change


def differences(pairs: Mapping[str, tuple[JsonValue, JsonValue]]) -> dict[str, JsonValue]:
    """What the audit trail keeps of a change: of each value that is another now, both."""
    return {name: {"from": old, "to": new} for name, (old, new) in pairs.items() if old != new}
