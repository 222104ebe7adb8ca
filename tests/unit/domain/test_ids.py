"""UUIDs of version 7, as RFC 9562 lays them out in section 5.7."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import reduce
from operator import and_, or_
from uuid import RFC_4122, UUID

import pytest

from gallery.domain.ids import new_album_id, new_event_id, new_image_id, new_tag_id, new_uuid7

MAKERS: list[Callable[[], UUID]] = [new_uuid7, new_image_id, new_tag_id, new_album_id, new_event_id]

TIME_MASK = ((1 << 48) - 1) << 80
FIXED_MASK = 0xF << 76 | 0b11 << 62
RANDOM_MASK = ~(TIME_MASK | FIXED_MASK) & ((1 << 128) - 1)


def milliseconds_of(uuid: UUID) -> int:
    return uuid.int >> 80


@pytest.mark.parametrize("new_id", MAKERS)
def test_an_id_is_a_uuid_of_version_7(new_id: Callable[[], UUID]) -> None:
    uuid = new_id()

    assert uuid.version == 7
    assert uuid.variant == RFC_4122


@pytest.mark.parametrize("new_id", MAKERS)
def test_an_id_begins_with_the_milliseconds_of_its_making(new_id: Callable[[], UUID]) -> None:
    before = time.time_ns() // 1_000_000
    uuid = new_id()
    after = time.time_ns() // 1_000_000

    assert before <= milliseconds_of(uuid) <= after


def test_ids_of_a_later_millisecond_sort_after_those_of_an_earlier_one() -> None:
    earlier = new_uuid7()
    while time.time_ns() // 1_000_000 <= milliseconds_of(earlier):
        pass
    later = new_uuid7()

    assert earlier < later
    assert str(earlier) < str(later)
    assert earlier.bytes < later.bytes


def test_every_bit_but_those_of_time_version_and_variant_is_random() -> None:
    uuids = [new_uuid7().int for _ in range(200)]

    assert reduce(or_, uuids) & RANDOM_MASK == RANDOM_MASK
    assert reduce(and_, uuids) & RANDOM_MASK == 0


def test_no_id_is_made_twice() -> None:
    assert len({new_uuid7() for _ in range(10_000)}) == 10_000
