"""Whole answers in the memory of a process."""

from __future__ import annotations

from array import array

import pytest

from gallery.domain.response_ports import KeptResponse
from gallery.platform.cache.drop_history import DropHistory, tag_number
from gallery.platform.cache.drops import Position
from gallery.platform.cache.responses_memory import Entry, ResponseMemory

KEYS = [b"one", b"two", b"three"]
SIZE_BYTES = 2 * 100 + 4 + 1000
"""What an entry of these tests takes."""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history() -> DropHistory:
    history = DropHistory()
    history.reset(Position(b"epoch", 1))
    return history


def an_entry(*, tag: str = "a", size_bytes: int = 100) -> Entry:
    return Entry(
        response=KeptResponse(body=bytes(size_bytes), digest=tag),
        position=Position(b"epoch", 1),
        tags=array("I", [tag_number(tag)]),
        expires_at=100,
        refresh_at=90,
    )


def drop(history: DropHistory, tag: str) -> None:
    assert history.position is not None
    history.apply(Position(b"epoch", history.position.number + 1), [tag])


def test_no_more_is_kept_than_there_is_room_for_and_the_least_recently_used_goes(
    clock: Clock, history: DropHistory
) -> None:
    memory = ResponseMemory(2 * SIZE_BYTES, clock)
    memory.keep(b"one", an_entry())
    memory.keep(b"two", an_entry())
    memory.find(b"one", history)
    memory.keep(b"three", an_entry())

    assert [memory.find(key, history) is not None for key in KEYS] == [True, False, True]
    assert memory.size_bytes == 2 * SIZE_BYTES


def test_an_answer_takes_the_place_of_the_one_before(clock: Clock, history: DropHistory) -> None:
    memory = ResponseMemory(2 * SIZE_BYTES, clock)
    memory.keep(b"one", an_entry(size_bytes=50))
    latest = an_entry()
    memory.keep(b"one", latest)

    assert memory.find(b"one", history) is latest.response
    assert (len(memory), memory.size_bytes) == (1, SIZE_BYTES)


def test_what_is_larger_than_all_the_room_is_not_kept(clock: Clock, history: DropHistory) -> None:
    memory = ResponseMemory(2 * SIZE_BYTES, clock)
    memory.keep(b"one", an_entry())
    memory.keep(b"two", an_entry(size_bytes=1000))

    assert memory.find(b"one", history) is not None
    assert memory.find(b"two", history) is None


def test_a_dropped_tag_ends_the_answers_that_have_it_and_no_others(clock: Clock, history: DropHistory) -> None:
    memory = ResponseMemory(10 * SIZE_BYTES, clock)
    memory.keep(b"one", an_entry(tag="a"))
    memory.keep(b"two", an_entry(tag="b"))
    for key in KEYS:
        memory.find(key, history)
    drop(history, "a")

    assert [memory.find(key, history) is not None for key in KEYS] == [False, True, False]
    assert memory.size_bytes == SIZE_BYTES


def test_an_answer_ends_with_its_lifetime(clock: Clock, history: DropHistory) -> None:
    memory = ResponseMemory(SIZE_BYTES, clock)
    memory.keep(b"one", an_entry())
    clock.now = 100

    assert memory.find(b"one", history) is None
    assert memory.size_bytes == 0


def test_before_its_end_an_answer_is_made_anew_by_one_at_a_time(clock: Clock, history: DropHistory) -> None:
    memory = ResponseMemory(SIZE_BYTES, clock)
    memory.keep(b"one", an_entry())
    found = []
    for clock.now in (89, 90, 91, 94.9, 95, 96):
        found.append(memory.find(b"one", history) is not None)

    assert found == [True, False, True, True, False, True]


def test_everything_is_forgotten_at_once(clock: Clock, history: DropHistory) -> None:
    memory = ResponseMemory(SIZE_BYTES, clock)
    memory.keep(b"one", an_entry())
    memory.clear()

    assert memory.find(b"one", history) is None
    assert memory.size_bytes == 0
