"""What lies where in the cache, and which event drops what."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import UUID

import pytest

from gallery.domain.events import EntityKind, Event, EventKind, JsonValue
from gallery.domain.ids import AlbumId, ImageId, TagId, UserId
from gallery.domain.pages import (
    AlbumQuery,
    Direction,
    ImageFilter,
    ImageQuery,
    ImageSortField,
    PageRequest,
    Position,
    TagQuery,
)
from gallery.platform.cache import keys
from gallery.platform.cache.keys import DROPPED_BY, Slot, dropped_by
from tests.entities import ADA, BOB, a_viewer

A, B, C = (UUID(int=number) for number in (0xA, 0xB, 0xC))


def event(kind: EventKind, entity_id: UUID, **payload: JsonValue) -> Event:
    return Event(kind=kind, entity_id=entity_id, actor=UserId(C), occurred_at=datetime.now(UTC), payload=payload)


def test_every_kind_of_event_says_what_it_drops() -> None:
    assert set(DROPPED_BY) == set(EventKind)
    apart = {EntityKind.ACCOUNT, EntityKind.TOKEN, EntityKind.LINK}
    never_cached = {kind for kind in EventKind if kind.entity in apart}
    assert {kind for kind, drops in DROPPED_BY.items() if not drops} == never_cached


def test_names_in_the_table_stand_for_entities_alone() -> None:
    names = {name for drops in DROPPED_BY.values() for name in drops}

    assert {found for name in names for found in re.findall(r"{(\w+)}", name)} == {"image", "tag", "album"}


def test_an_event_drops_the_slots_of_its_entity() -> None:
    assert dropped_by([event(EventKind.IMAGE_RENDERED, A)]) == [
        keys.image(ImageId(A)).key,
        keys.image_renditions(ImageId(A)).key,
    ]


def test_an_event_drops_the_slots_of_what_its_payload_lists() -> None:
    assert dropped_by([event(EventKind.ALBUM_IMAGES_ADDED, A, image_ids=[B.hex, C.hex])]) == [
        keys.album(AlbumId(A)).key,
        f"generation:album:{A.hex}:images",
        "generation:albums",
        keys.image_albums(ImageId(B)).key,
        keys.image_albums(ImageId(C)).key,
        "generation:sight",
    ]


def test_a_key_is_dropped_once_however_many_events_name_it() -> None:
    tag_ids: list[JsonValue] = [C.hex]

    dropped = dropped_by([event(EventKind.IMAGE_TAGGED, image, tag_ids=tag_ids) for image in (A, B)])

    assert dropped == [
        f"image:{A.hex}:tags",
        f"generation:tag:{C.hex}:images",
        "generation:images:tagged",
        f"image:{B.hex}:tags",
    ]


def test_no_events_drop_nothing() -> None:
    assert dropped_by([]) == []


@pytest.mark.parametrize(("payload", "error"), [({}, KeyError), ({"tag_ids": "all"}, TypeError)])
def test_an_event_without_what_its_kind_promises_is_refused(
    payload: dict[str, JsonValue], error: type[Exception]
) -> None:
    with pytest.raises(error):
        dropped_by([event(EventKind.IMAGE_TAGGED, A, **payload)])


def test_lists_that_were_asked_for_differently_lie_apart() -> None:
    noon = datetime(2024, 5, 17, 12, tzinfo=UTC)
    slots = [
        *map(
            keys.image_page,
            [
                ImageQuery(),
                ImageQuery(filter=ImageFilter(text="sea")),
                ImageQuery(filter=ImageFilter(tag_names=("sea",))),
                ImageQuery(direction=Direction.ASC),
                ImageQuery(sort_field=ImageSortField.TITLE),
                ImageQuery(page=PageRequest(limit=21)),
                ImageQuery(page=PageRequest(backward=True)),
                ImageQuery(page=PageRequest(after=Position(noon, A))),
                ImageQuery(page=PageRequest(after=Position(noon.isoformat(), A))),
                ImageQuery(page=PageRequest(before=Position(noon, A))),
            ],
        ),
        keys.image_count(ImageFilter()),
        keys.tag_page(TagQuery()),
        keys.tag_count(None),
        keys.tag_count("None"),
        keys.album_page(AlbumQuery()),
        keys.album_count(None),
        keys.album_images_page(AlbumId(A), PageRequest()),
        keys.album_images_page(AlbumId(B), PageRequest()),
        keys.tag_images_page(TagId(A), PageRequest()),
        keys.tag_image_count(TagId(A)),
        keys.album_image_count(AlbumId(A)),
        keys.album_cover(AlbumId(A)),
    ]

    assert len({slot.key for slot in slots}) == len(slots)


def test_a_text_that_is_no_valid_unicode_has_a_slot() -> None:
    assert keys.tag_count("\ud800").key != keys.tag_count("\ud801").key


def test_a_list_of_images_belongs_to_the_generations_of_its_filter() -> None:
    images, tagged, album = "generation:images", "generation:images:tagged", f"generation:album:{A.hex}:images"

    assert keys.image_count(ImageFilter()).generations == (images,)
    assert keys.image_count(ImageFilter(tag_names=("sea",))).generations == (images, tagged)
    assert keys.image_count(ImageFilter(album_id=AlbumId(A))).generations == (images, album)


def test_what_one_viewer_is_shown_lies_apart_and_ends_when_sight_changes() -> None:
    slot = keys.album_count(None)
    reader, other = a_viewer(), a_viewer()

    assert keys.seen_by(ADA, slot) == keys.seen_by(BOB, slot) == slot
    own = keys.seen_by(reader, slot, keys.STATS)
    assert own == Slot(f"{slot.key}:{reader.scope}", ("generation:albums", keys.STATS, "generation:sight"))
    assert len({own.key, keys.seen_by(other, slot).key, slot.key}) == 3
    assert keys.image_offered(reader, ImageId(A)).key != keys.image_offered(other, ImageId(A)).key
    assert keys.album_shared(reader, AlbumId(A)).key != keys.album_shared(other, AlbumId(A)).key


@pytest.mark.parametrize(
    "kind",
    [
        EventKind.IMAGE_VISIBILITY_CHANGED,
        EventKind.ALBUM_VISIBILITY_CHANGED,
        EventKind.ALBUM_SHARED,
        EventKind.ALBUM_UNSHARED,
        EventKind.ALBUM_IMAGES_ADDED,
        EventKind.ALBUM_IMAGES_REMOVED,
        EventKind.ALBUM_DELETED,
    ],
)
def test_whatever_changes_who_is_shown_what_ends_what_is_kept_for_one(kind: EventKind) -> None:
    assert "generation:sight" in dropped_by([event(kind, A, image_ids=[])])
