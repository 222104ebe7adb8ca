"""Tag: a word that people attach to images."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # dataclass fields are read at run time

from gallery.domain.ids import TagId, UserId  # as above
from gallery.domain.names import clean_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A word that people attach to images. Names are unique whatever their case."""

    id: TagId
    owner: UserId
    name: str
    created_at: datetime


def clean_tag_name(name: str, *, field: tuple[str, ...] = ("name",)) -> str:
    """The name of a tag, trimmed.

    Raises:
        InvalidInputError: INVALID_NAME if it breaks the rules for names.
    """
    return clean_name(name, what="The tag's name", field=field)


def tag_key(name: str) -> str:
    """What two names have in common if they are the same tag: the name without case."""
    return name.casefold()
