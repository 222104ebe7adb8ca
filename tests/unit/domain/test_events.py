"""What happened, as it is recorded."""

from __future__ import annotations

import pytest

from gallery.domain.events import EntityKind, Event, EventKind
from tests.entities import ADA, NOON, an_image


@pytest.mark.parametrize(
    ("kind", "entity"),
    [
        (EventKind.IMAGE_UPLOADED, EntityKind.IMAGE),
        (EventKind.IMAGE_RENDERING_FAILED, EntityKind.IMAGE),
        (EventKind.TAG_DELETED, EntityKind.TAG),
        (EventKind.ALBUM_IMAGES_ADDED, EntityKind.ALBUM),
    ],
)
def test_a_kind_of_event_knows_what_it_happens_to(kind: EventKind, entity: EntityKind) -> None:
    assert kind.entity is entity


def test_every_kind_of_event_happens_to_an_entity() -> None:
    assert {kind.entity for kind in EventKind} == set(EntityKind)


def test_every_event_has_an_id_and_a_payload_of_its_own() -> None:
    image = an_image()
    one, other = (
        Event(kind=EventKind.IMAGE_UPDATED, entity_id=image.id, actor=ADA.id, occurred_at=NOON) for _ in range(2)
    )

    assert one.id != other.id
    assert one.id.version == 7
    assert one.payload == {}
    assert one.payload is not other.payload
