"""Fields of the schema that are read off a record, and what has to be read for them.

A type of the schema holds a record, and its fields are made when they are asked for. For the compiler each says what it
is, so that no resolver is called for it; for everything else it has one.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter, itemgetter
from typing import Any, Final

import strawberry
from strawberry.types.field import StrawberryField

from gallery.compiler import EXTENSION, Attribute, Computed, Declaration, Key

RECORD: Final = "record"
"""The attribute in which a type of the schema holds what it shows."""

_READS: Final = "reads"


def shown(name: str, *, description: str, of: str | None = RECORD) -> Any:  # noqa: ANN401  # of whatever type the class says
    """A field of the schema that is a field of the record, or of its parent if that is the record itself."""
    read = attrgetter(name if of is None else f"{of}.{name}")
    return strawberry.field(
        resolver=lambda self: read(self),  # noqa: PLW0108  # Strawberry asks for the signature of a function
        description=description,
        metadata={EXTENSION: Attribute(name, of=of), _READS: (name,)},
    )


def keyed(key: str, *, description: str) -> Any:  # noqa: ANN401  # as above
    """A field of the schema that is under a key of its parent, a mapping that has it."""
    read = itemgetter(key)
    return strawberry.field(
        resolver=lambda self: read(self),  # noqa: PLW0108  # as above
        description=description,
        metadata={EXTENSION: Key(key)},
    )


def computed(compute: Callable[[Any, Any], Any], *, description: str, reads: tuple[str, ...] = ()) -> Any:  # noqa: ANN401  # as above
    """A field of the schema that is made of its parent and the context, for which these fields of a record are read."""
    resolve = lambda self, info: compute(self, info.context)  # noqa: E731  # the class says of which type it is
    resolve.__annotations__["info"] = strawberry.Info
    return strawberry.field(
        resolver=resolve,
        description=description,
        metadata={EXTENSION: Computed(compute), _READS: reads},
    )


def declaration(field: StrawberryField) -> Declaration | None:
    """What the compiler is to know of a field; None if it is none of these."""
    known: Declaration | None = field.metadata.get(EXTENSION)
    return known


def fields_read(field: StrawberryField) -> tuple[str, ...]:
    """The names of the fields of a record that must have been read for a field of the schema."""
    names: tuple[str, ...] = field.metadata.get(_READS, ())
    return names
