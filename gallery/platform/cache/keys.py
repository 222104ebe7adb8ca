"""What lies where in the cache, and which event drops what.

A slot is a key together with the generations that its value belongs to. A generation is a key of its own that holds a
number nobody had before: dropping it retires everything that carries the number, whatever and however much that is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gallery.domain.access import Sight, Viewer
from gallery.domain.events import EntityKind, Event, EventKind
from gallery.domain.ids import AlbumId, ImageId, TagId
from gallery.domain.pages import AlbumQuery, ImageFilter, ImageQuery, PageRequest, TagQuery

IMAGE: Final = "image:{image}"
IMAGE_RENDITIONS: Final = "image:{image}:renditions"
IMAGE_TAGS: Final = "image:{image}:tags"
IMAGE_ALBUMS: Final = "image:{image}:albums"
TAG: Final = "tag:{tag}"
ALBUM: Final = "album:{album}"
ALBUM_COVER: Final = "album:{album}:cover"
STATS: Final = "images:stats"

EVERYTHING: Final = "generation:everything"
IMAGE_LISTS: Final = "generation:images"
IMAGE_DELETIONS: Final = "generation:images:deleted"
TAGGED_LISTS: Final = "generation:images:tagged"
TAG_LISTS: Final = "generation:tags"
TAG_DELETIONS: Final = "generation:tags:deleted"
TAG_IMAGES: Final = "generation:tag:{tag}:images"
ALBUM_LISTS: Final = "generation:albums"
ALBUM_DELETIONS: Final = "generation:albums:deleted"
ALBUM_IMAGES: Final = "generation:album:{album}:images"
SIGHT: Final = "generation:sight"
"""Of whatever is kept for one viewer: who is shown what may change with it."""

DROPPED_BY: Final[Mapping[EventKind, tuple[str, ...]]] = {
    EventKind.IMAGE_UPLOADED: (IMAGE_LISTS, STATS),
    EventKind.IMAGE_UPDATED: (IMAGE, IMAGE_LISTS),
    EventKind.IMAGE_VISIBILITY_CHANGED: (IMAGE, SIGHT),
    EventKind.IMAGE_DELETED: (
        IMAGE,
        IMAGE_RENDITIONS,
        IMAGE_TAGS,
        IMAGE_ALBUMS,
        IMAGE_LISTS,
        IMAGE_DELETIONS,
        ALBUM,  # it may have lost its cover
        ALBUM_IMAGES,
        STATS,
    ),
    EventKind.IMAGE_RENDERED: (IMAGE, IMAGE_RENDITIONS),
    EventKind.IMAGE_RENDERING_FAILED: (IMAGE,),
    EventKind.IMAGE_LOST: (IMAGE,),
    EventKind.IMAGE_RENDITION_LOST: (IMAGE,),
    EventKind.IMAGE_TAGGED: (IMAGE_TAGS, TAG_IMAGES, TAGGED_LISTS),
    EventKind.IMAGE_UNTAGGED: (IMAGE_TAGS, TAG_IMAGES, TAGGED_LISTS),
    EventKind.TAG_CREATED: (TAG_LISTS, STATS),
    EventKind.TAG_DELETED: (TAG, TAG_IMAGES, TAG_LISTS, TAG_DELETIONS, TAGGED_LISTS, STATS),
    EventKind.ALBUM_CREATED: (ALBUM_LISTS, STATS),
    EventKind.ALBUM_UPDATED: (ALBUM, ALBUM_COVER, ALBUM_LISTS),
    EventKind.ALBUM_VISIBILITY_CHANGED: (ALBUM, SIGHT),
    EventKind.ALBUM_SHARED: (SIGHT,),
    EventKind.ALBUM_UNSHARED: (SIGHT,),
    EventKind.ALBUM_DELETED: (ALBUM, ALBUM_IMAGES, ALBUM_LISTS, ALBUM_DELETIONS, STATS, SIGHT),
    EventKind.ALBUM_IMAGES_ADDED: (ALBUM, ALBUM_IMAGES, ALBUM_LISTS, IMAGE_ALBUMS, SIGHT),
    EventKind.ALBUM_IMAGES_REMOVED: (ALBUM, ALBUM_IMAGES, ALBUM_LISTS, IMAGE_ALBUMS, SIGHT),
    EventKind.ACCOUNT_CREATED: (),  # who may do what is never cached there
    EventKind.ACCOUNT_UPDATED: (),
    EventKind.ACCOUNT_DISABLED: (),
    EventKind.ACCOUNT_PASSWORD_SET: (),
    EventKind.ACCOUNT_SIGNED_IN: (),
    EventKind.ACCOUNT_SIGN_IN_FAILED: (),
    EventKind.ACCOUNT_SESSIONS_ENDED: (),
    EventKind.TOKEN_CREATED: (),
    EventKind.TOKEN_REVOKED: (),
    EventKind.LINK_CREATED: (),
    EventKind.LINK_UPDATED: (),
    EventKind.LINK_REVOKED: (),
}
"""What an event makes wrong. A name in braces stands for the entity of the event if it is of that kind, and otherwise
for those that the payload lists (`image_ids`, `tag_ids`, `album_ids`)."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a value lies, and the generations with which it ends, apart from that of everything."""

    key: str
    generations: tuple[str, ...] = ()


def dropped_by(events: Iterable[Event]) -> list[str]:
    """The keys that the events make wrong, each once.

    Raises:
        LookupError, TypeError: if an event's payload lacks what its kind promises.
    """
    return list(dict.fromkeys(key for event in events for name in DROPPED_BY[event.kind] for key in _keys(name, event)))


def seen_by(viewer: Viewer, slot: Slot, *generations: str) -> Slot:
    """Where that lies as the viewer is shown it: at the slot itself for those who see everything.

    What drops the key of the slot does not drop this; `generations` must end with it.
    """
    if viewer.sight is Sight.EVERYTHING:
        return slot
    return Slot(f"{slot.key}:{viewer.scope}", (*slot.generations, *generations, SIGHT))


def image(image_id: ImageId) -> Slot:
    """An image."""
    return Slot(IMAGE.format(image=image_id.hex))


def image_renditions(image_id: ImageId) -> Slot:
    """The renditions of an image."""
    return Slot(IMAGE_RENDITIONS.format(image=image_id.hex))


def image_tags(image_id: ImageId) -> Slot:
    """The tags of an image."""
    return Slot(IMAGE_TAGS.format(image=image_id.hex), (TAG_DELETIONS,))


def image_albums(image_id: ImageId) -> Slot:
    """The ids of the albums that hold an image."""
    return Slot(IMAGE_ALBUMS.format(image=image_id.hex), (ALBUM_DELETIONS,))


def image_offered(viewer: Viewer, image_id: ImageId) -> Slot:
    """Whether an album shows an image to a viewer."""
    return Slot(f"image:{image_id.hex}:offered:{viewer.scope}", (SIGHT,))


def image_page(query: ImageQuery) -> Slot:
    """The ids of a page of images."""
    return Slot(f"images:page:{_digest(query)}", _generations(query.filter))


def image_count(image_filter: ImageFilter) -> Slot:
    """How many images a filter leaves."""
    return Slot(f"images:count:{_digest(image_filter)}", _generations(image_filter))


def stats() -> Slot:
    """What the gallery holds."""
    return Slot(STATS)


def tag(tag_id: TagId) -> Slot:
    """A tag."""
    return Slot(TAG.format(tag=tag_id.hex))


def tag_page(query: TagQuery) -> Slot:
    """The ids of a page of tags."""
    return Slot(f"tags:page:{_digest(query)}", (TAG_LISTS,))


def tag_count(text: str | None) -> Slot:
    """How many tags contain a text."""
    return Slot(f"tags:count:{_digest(text)}", (TAG_LISTS,))


def tag_images_page(tag_id: TagId, page: PageRequest) -> Slot:
    """The ids of a part of a tag's images."""
    key = f"tag:{tag_id.hex}:images:{_digest(page)}"
    return Slot(key, (TAG_IMAGES.format(tag=tag_id.hex), IMAGE_DELETIONS))


def tag_image_count(tag_id: TagId) -> Slot:
    """How many images have a tag."""
    return Slot(f"tag:{tag_id.hex}:image_count", (TAG_IMAGES.format(tag=tag_id.hex), IMAGE_DELETIONS))


def album(album_id: AlbumId) -> Slot:
    """An album."""
    return Slot(ALBUM.format(album=album_id.hex))


def album_shared(viewer: Viewer, album_id: AlbumId) -> Slot:
    """Whether an album is shared with a viewer."""
    return Slot(f"album:{album_id.hex}:shared:{viewer.scope}", (SIGHT,))


def album_page(query: AlbumQuery) -> Slot:
    """The ids of a page of albums."""
    return Slot(f"albums:page:{_digest(query)}", (ALBUM_LISTS,))


def album_count(text: str | None) -> Slot:
    """How many albums contain a text."""
    return Slot(f"albums:count:{_digest(text)}", (ALBUM_LISTS,))


def album_images_page(album_id: AlbumId, page: PageRequest) -> Slot:
    """The ids of a part of an album."""
    return Slot(f"album:{album_id.hex}:images:{_digest(page)}", (ALBUM_IMAGES.format(album=album_id.hex),))


def album_image_count(album_id: AlbumId) -> Slot:
    """How many images an album holds."""
    return Slot(f"album:{album_id.hex}:image_count", (ALBUM_IMAGES.format(album=album_id.hex),))


def album_cover(album_id: AlbumId) -> Slot:
    """The id of an album's cover, or None."""
    return Slot(ALBUM_COVER.format(album=album_id.hex), (ALBUM_IMAGES.format(album=album_id.hex),))


def _generations(image_filter: ImageFilter) -> tuple[str, ...]:
    """What a list of images depends on."""
    generations = [IMAGE_LISTS]
    if image_filter.tag_names:
        generations.append(TAGGED_LISTS)
    if image_filter.album_id is not None:
        generations.append(ALBUM_IMAGES.format(album=image_filter.album_id.hex))
    return tuple(generations)


def _digest(criteria: object) -> str:
    """Tells lists apart by what was asked; the `repr` of criteria is stable."""
    return hashlib.blake2s(repr(criteria).encode(), digest_size=16).hexdigest()


def _keys(name: str, event: Event) -> Iterator[str]:
    """The keys that a name of `DROPPED_BY` stands for."""
    kind = next((kind.value for kind in EntityKind if f"{{{kind.value}}}" in name), None)
    if kind is None:
        yield name
    elif kind == event.kind.entity:
        yield name.format(**{kind: event.entity_id.hex})
    else:
        ids = event.payload[f"{kind}_ids"]
        if not isinstance(ids, list):
            message = f"{kind}_ids of {event.kind} is no list"
            raise TypeError(message)
        yield from (name.format(**{kind: id_}) for id_ in ids)
