"""Who finds a place in a line."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from gallery.domain.errors import ErrorCode, OverloadedError, UnavailableError
from gallery.domain.waiting import PATIENCE, Patience, Places, context_of_others, grow_endless, own_patience


def test_as_many_wait_as_there_are_places() -> None:
    places = Places(4)
    with ExitStack() as waiting:
        for asker in range(4):
            waiting.enter_context(places.held(asker))
        assert places.taken == 4
        with pytest.raises(OverloadedError), places.held("one more"):
            pass
        assert places.taken == 4
    assert places.taken == 0
    with places.held("one more"):
        assert places.taken == 1


def test_one_asker_leaves_half_of_the_places_to_others() -> None:
    places = Places(4)
    with ExitStack() as waiting:
        waiting.enter_context(places.held("greedy"))
        waiting.enter_context(places.held("greedy"))
        with pytest.raises(OverloadedError), places.held("greedy"):
            pass
        waiting.enter_context(places.held("modest"))
        assert places.taken == 3


def test_who_has_waited_may_wait_again() -> None:
    places = Places(2)
    for _ in range(3):
        with places.held("somebody"):
            pass
    with pytest.raises(RuntimeError), places.held("somebody"):
        raise RuntimeError
    assert places.taken == 0


def test_one_place_is_for_whoever_comes_first() -> None:
    places = Places(1)
    with places.held("first"), pytest.raises(OverloadedError), places.held("second"):
        pass


def test_without_places_nobody_waits() -> None:
    with pytest.raises(OverloadedError), Places(0).held("somebody"):
        pass


def test_patience_grows_endless_for_the_request_at_hand() -> None:
    patience = Patience(asker="somebody", seconds=1, places=Places(1))
    token = PATIENCE.set(patience)
    grow_endless()
    PATIENCE.reset(token)
    assert patience.is_endless


def test_what_is_no_request_has_no_patience_that_could_grow() -> None:
    grow_endless()
    assert PATIENCE.get() is None


def test_an_overload_is_something_that_passes_with_a_code_of_its_own() -> None:
    error = OverloadedError()
    assert isinstance(error, UnavailableError)
    assert error.code is ErrorCode.OVERLOADED
    assert "too much to do" in error.message


async def test_what_is_done_for_several_has_the_patience_of_none() -> None:
    token = PATIENCE.set(Patience(asker="somebody", seconds=0.01, places=Places(1)))
    try:
        assert context_of_others().run(PATIENCE.get) is None
        assert PATIENCE.get() is not None
    finally:
        PATIENCE.reset(token)


@pytest.mark.parametrize("is_endless", [None, True])
async def test_who_has_endless_patience_waits_for_others(is_endless: bool | None) -> None:
    patience = is_endless and Patience(asker="somebody", seconds=0, places=Places(1), is_endless=True)
    token = PATIENCE.set(patience or None)
    try:
        async with own_patience():
            await asyncio.sleep(0.01)
    finally:
        PATIENCE.reset(token)


async def test_who_has_none_left_is_refused_and_a_time_out_of_others_is_told_as_it_is() -> None:
    token = PATIENCE.set(Patience(asker="somebody", seconds=0.01, places=Places(1)))
    try:
        with pytest.raises(OverloadedError):
            async with own_patience():
                await asyncio.Event().wait()
        with pytest.raises(TimeoutError):
            async with own_patience():
                raise TimeoutError
    finally:
        PATIENCE.reset(token)
