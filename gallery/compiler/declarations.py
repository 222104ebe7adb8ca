"""What a schema may say of a field or type, under `extensions["compiler"]`, so that compiled code need not ask.

All of it is optional, and must give what the resolver of the field gives: operations that are not compiled use that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gallery.compiler.info import ResolveInfo

EXTENSION: Final = "compiler"


@dataclass(frozen=True, slots=True)
class Attribute:
    """The field is an attribute of its parent, read as it is; or one of what the parent has under `of`."""

    name: str
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """The field is under a key of its parent, a mapping. A key that is missing is an error of the field."""

    name: str


@dataclass(frozen=True, slots=True)
class Item:
    """The field is an item of its parent, a sequence such as a row."""

    index: int


@dataclass(frozen=True, slots=True)
class Computed:
    """The field is what a function makes of its parent and the context alone; never awaitable."""

    compute: Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Direct:
    """The field is what a function gives for a parent, its info and its arguments by name; awaitable or not."""

    resolve: Callable[[Any, ResolveInfo, dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """The field is resolved for all parents of a level by one call.

    The function is given the parents, an info and the arguments by name, and gives as many values in the same order.
    A value that is an exception is the error of that parent; an exception that is raised is the error of each.
    """

    resolve: Callable[[Sequence[Any], ResolveInfo, dict[str, Any]], Awaitable[Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class InstanceOf:
    """Objects of exactly this class are of the object type: neither `is_type_of` nor `resolve_type` is asked."""

    python_type: type


@dataclass(frozen=True, slots=True)
class Serialized:
    """Values of exactly this class are serialized by a function; without one, they are as they have to be."""

    python_type: type
    serialize: Callable[[Any], Any] | None = None


Declaration = Attribute | Computed | Key | Item | Direct | Batch
