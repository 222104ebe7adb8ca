"""The kinds of values in the cache, and how long each is kept."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum, auto, unique
from typing import Final, Generic, TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from gallery.domain.albums import Album
from gallery.domain.images import Image, Rendition
from gallery.domain.pages import GalleryStats
from gallery.domain.tags import Tag
from gallery.platform.cache.codec import Codec, Outline
from gallery.settings import CacheSettings

V = TypeVar("V")


@unique
class Lifetime(Enum):
    """Which setting says how long a value is kept."""

    IMAGE = auto()
    LIST = auto()
    STATS = auto()
    DEFAULT = auto()


@dataclass(frozen=True, slots=True)
class Kind(Generic[V]):
    """What values of one kind have in common.

    Those that are not `exact` may be wrong until their lifetime ends, for no event drops them whenever they change.
    """

    name: str
    codec: Codec[V]
    lifetime: Lifetime = Lifetime.DEFAULT
    exact: bool = True


IMAGE: Final = Kind("image", Codec(TypeAdapter(Image)), Lifetime.IMAGE)
RENDITIONS: Final = Kind("renditions", Codec(TypeAdapter(tuple[Rendition, ...])))
TAG: Final = Kind("tag", Codec(TypeAdapter(Tag)))
TAGS: Final = Kind("tags", Codec(TypeAdapter(tuple[Tag, ...])))
ALBUM: Final = Kind("album", Codec(TypeAdapter(Album)))
PAGE: Final = Kind("page", Codec(TypeAdapter(Outline)), Lifetime.LIST)
COUNT: Final = Kind("count", Codec(TypeAdapter(int)))
ID_OR_NONE: Final = Kind("id_or_none", Codec(TypeAdapter(UUID | None)))
IDS: Final = Kind("ids", Codec(TypeAdapter(tuple[UUID, ...])))
STATS: Final = Kind("stats", Codec(TypeAdapter(GalleryStats)), Lifetime.STATS, exact=False)


class Lifetimes:
    """The lifetimes of the settings."""

    def __init__(self, settings: CacheSettings) -> None:
        self._jitter = settings.jitter
        self._seconds = {
            Lifetime.IMAGE: settings.image_ttl_seconds,
            Lifetime.LIST: settings.list_ttl_seconds,
            Lifetime.STATS: settings.stats_ttl_seconds,
            Lifetime.DEFAULT: settings.default_ttl_seconds,
        }

    def seconds(self, lifetime: Lifetime) -> float:
        """How long to keep a value: what the setting says, or less by up to the jitter's share."""
        return self._seconds[lifetime] * (1 - self._jitter * random.random())  # noqa: S311  # nothing to guess here
