"""The small values that services share."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest

from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.services.bulk import distinct
from gallery.services.changes import KEEP, kept
from gallery.services.clock import utc_now


def test_items_keep_their_order_and_come_once() -> None:
    assert distinct(["b", "a", "b", "c", "a"], field=("tags",)) == ["b", "a", "c"]
    assert distinct([], field=("tags",)) == []


def test_100_items_are_taken_and_101_refused_even_if_they_are_the_same() -> None:
    assert distinct(list(range(100)), field=("numbers",)) == list(range(100))

    with pytest.raises(InvalidInputError) as refusal:
        distinct([1] * 101, field=("numbers",))

    assert refusal.value.code is ErrorCode.TOO_MANY_ITEMS
    assert refusal.value.field == ("numbers",)
    assert refusal.value.message == "`numbers` has 101 items; at most 100 are taken at once."


def test_a_value_is_kept_only_if_that_is_said() -> None:
    assert kept(KEEP, "old") == "old"
    assert kept("new", "old") == "new"
    assert kept(None, "old") is None
    assert kept("", "old") == ""


def test_the_time_has_its_zone() -> None:
    assert utc_now().tzinfo is UTC
    assert utc_now().utcoffset() == timedelta(0)
