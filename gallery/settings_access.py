"""Who is shown what: a part of the settings tree in `settings.py`."""

from __future__ import annotations

from enum import StrEnum, unique

from gallery.settings_types import Section


@unique
class DefaultVisibility(StrEnum):
    """The words for it; their names are those of the domain."""

    PRIVATE = "private"
    UNLISTED = "unlisted"
    PUBLIC = "public"


class AccessSettings(Section):
    """Who is shown what."""

    default_visibility: DefaultVisibility = DefaultVisibility.PRIVATE
    """Who is shown new images and albums of which nothing is said: `private`, `unlisted` or `public`."""
