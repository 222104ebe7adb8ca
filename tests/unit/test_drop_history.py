"""What a process knows of drops, and what it makes of that."""

from __future__ import annotations

from gallery.platform.cache.drop_history import DropHistory, tag_number
from gallery.platform.cache.drops import Position
from gallery.platform.cache.keys import EVERYTHING

A, B = tag_number("a"), tag_number("b")


def at(number: int, epoch: bytes = b"one") -> Position:
    return Position(epoch, number)


def a_history(number: int = 5, *, max_tags: int = 100) -> DropHistory:
    history = DropHistory(max_tags)
    history.reset(at(number))
    return history


def test_what_was_read_is_right_until_one_of_its_tags_is_dropped() -> None:
    history = a_history()
    history.apply(at(6), ["b"])

    assert history.is_right(at(5), [A])
    assert not history.is_right(at(5), [A, B])
    assert history.is_right(at(6), [A, B])


def test_the_last_drop_of_a_tag_counts() -> None:
    history = a_history()
    history.apply(at(6), [b"a"])
    history.apply(at(7), [b"a"])

    assert not history.is_right(at(6), [A])


def test_a_drop_that_is_told_twice_counts_once() -> None:
    history = a_history()
    history.apply(at(6), ["a"])

    assert history.apply(at(6), ["b"])
    assert history.apply(at(4), ["b"])
    assert history.is_right(at(5), [B])
    assert history.position == at(6)


def test_after_a_gap_nothing_from_before_is_right() -> None:
    history = a_history()

    assert not history.apply(at(7), ["a"])
    assert history.position == at(7)
    assert not history.is_right(at(5), [B])
    assert not history.is_right(at(6), [B])
    assert history.is_right(at(7), [A])


def test_positions_of_another_epoch_say_nothing() -> None:
    history = a_history()

    assert not history.is_right(at(5, b"two"), [A])
    assert not history.apply(at(6, b"two"), [])
    assert not history.is_right(at(5), [A])
    assert history.is_right(at(6, b"two"), [A])


def test_who_has_heard_of_nothing_knows_nothing() -> None:
    history = DropHistory()

    assert not history.is_right(at(5), [])
    assert not history.apply(at(5), [])


def test_a_drop_of_everything_ends_what_was_read_before_it() -> None:
    history = a_history()
    history.apply(at(6), [EVERYTHING])

    assert not history.is_right(at(5), [])
    assert history.is_right(at(6), [A])


def test_what_was_read_before_a_forgotten_drop_is_not_right() -> None:
    history = a_history(max_tags=2)
    for number, tag in enumerate(["a", "b", "c"], start=6):
        history.apply(at(number), [tag])

    assert not history.is_right(at(5), [tag_number("d")])
    assert not history.is_right(at(6), [B])
    assert history.is_right(at(6), [A])
    assert history.is_right(at(8), [A, B])
