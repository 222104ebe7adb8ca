"""What viewers are shown, as conditions: the one place that says in SQL what `may_list` and its likes say.

There are three forms of each, by `Sight`; who sees everything has none, so that statements for administrators are as if
nobody had secrets. The viewer is a parameter: see `visible_to`.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Exists,
    Text,
    Uuid,
    and_,
    bindparam,
    exists,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.sql.selectable import FromClause

from gallery.domain.access import Sight, Viewer, Visibility
from gallery.platform.database.tables import ALBUM_IMAGES, ALBUM_SHARES, ALBUMS, IMAGE_TAGS, IMAGES, TAGS

Conditions = tuple[ColumnElement[bool], ...]
"""All of which must be true; none if there is nothing to ask."""

VIEWER: Final = "viewer_id"
"""The parameter of all conditions here."""

_VIEWER: Final = bindparam(VIEWER, type_=Uuid)
_PRIVATE: Final = literal_column(f"'{Visibility.PRIVATE}'", Text)
_PUBLIC: Final = literal_column(f"'{Visibility.PUBLIC}'", Text)
"""Written out as in the index of images that are not private: PostgreSQL uses it for no value of a parameter."""


def visible_to(viewer: Viewer) -> dict[str, Any]:
    """The values of the parameters of conditions. A statement for who sees everything has none of them."""
    return {VIEWER: viewer.id}


def listed_images(sight: Sight) -> Conditions:
    """Images that lists have."""
    return _if_anything_is_hidden(sight, _is_listed(IMAGES, sight), is_offered())


def overlapping_parts_of_listed_images(sight: Sight) -> tuple[ColumnElement[bool], ...]:
    """The same in parts, each of which is read in its own order, however rare it is: an image may be in several.

    PostgreSQL would look for all of them together through all images there are, in their order.
    """
    return _is_shown(IMAGES, sight), IMAGES.c.owner == _VIEWER, is_offered()


def parts_of_listed_images(sight: Sight) -> tuple[ColumnElement[bool], ...]:
    """The same in parts of which none has an image of another, to be counted."""
    shown, own, offered = overlapping_parts_of_listed_images(sight)
    return shown, and_(own, ~shown), and_(offered, ~own, ~shown)


def found_images(sight: Sight) -> Conditions:
    """Images that are found by their ids."""
    return _if_anything_is_hidden(sight, _is_found(IMAGES), is_offered())


def listed_albums(sight: Sight) -> Conditions:
    """Albums that lists have."""
    return _if_anything_is_hidden(sight, _is_listed(ALBUMS, sight), is_shared())


def found_albums(sight: Sight) -> Conditions:
    """Albums that are found by their ids."""
    return _if_anything_is_hidden(sight, _is_found(ALBUMS), is_shared())


def visible_tags(sight: Sight) -> Conditions:
    """Tags that the viewer made, or that lists have an image with."""
    is_used = exists().where(
        IMAGE_TAGS.c.tag_id == TAGS.c.id, IMAGES.c.id == IMAGE_TAGS.c.image_id, *listed_images(sight)
    )
    return _if_anything_is_hidden(sight, TAGS.c.owner == _VIEWER, is_used.correlate(TAGS))


def is_offered() -> Exists:
    """Whether an album of the viewer, or one that is shared with them, shows an image that its owner put there."""
    place, own, shared = ALBUM_IMAGES.alias("place"), ALBUMS.alias("own"), ALBUM_SHARES.alias("shared")
    albums = union_all(
        select(own.c.id).where(own.c.owner == _VIEWER), select(shared.c.album_id).where(shared.c.account_id == _VIEWER)
    )
    return exists().where(place.c.image_id == IMAGES.c.id, place.c.is_offered, place.c.album_id.in_(albums))


def passed_on() -> Conditions:
    """Images of places in albums that links to the albums show, whoever has made them."""
    return (or_(ALBUM_IMAGES.c.is_offered, IMAGES.c.visibility == _PUBLIC),)


def is_shared() -> Exists:
    """Whether an album is shared with the viewer."""
    return exists().where(ALBUM_SHARES.c.album_id == ALBUMS.c.id, ALBUM_SHARES.c.account_id == _VIEWER)


def _is_listed(things: FromClause, sight: Sight) -> ColumnElement[bool]:
    return or_(_is_shown(things, sight), things.c.owner == _VIEWER)


def _is_found(things: FromClause) -> ColumnElement[bool]:
    return or_(things.c.visibility != _PRIVATE, things.c.owner == _VIEWER)


def _is_shown(things: FromClause, sight: Sight) -> ColumnElement[bool]:
    return things.c.visibility != _PRIVATE if sight is Sight.UNLISTED else things.c.visibility == _PUBLIC


def _if_anything_is_hidden(sight: Sight, *reasons: ColumnElement[bool]) -> Conditions:
    return () if sight is Sight.EVERYTHING else (or_(*reasons),)
