"""What several ask for at once is done once."""

from __future__ import annotations

import asyncio
import gc

import pytest

from gallery.services.single_flight import SingleFlight


class Work:
    """Counts how often it is begun and how often it is cancelled; goes on when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.go_on = asyncio.Event()
        self.fault: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.fault is not None:
            raise self.fault
        return number


async def several(flights: SingleFlight[int], work: Work, *keys: str) -> list[asyncio.Task[int]]:
    """Those who ask, once all of them wait."""
    waiting = [asyncio.create_task(flights.run(key, work)) for key in keys]
    for _ in range(5):
        await asyncio.sleep(0)
    return waiting


async def test_those_who_ask_for_the_same_share_it_and_others_do_not() -> None:
    flights, work = SingleFlight[int](), Work()
    waiting = await several(flights, work, "one", "one", "other", "one")
    work.go_on.set()

    assert await asyncio.gather(*waiting) == [1, 1, 2, 1]
    assert work.begun == 2


async def test_nothing_is_remembered() -> None:
    flights, work = SingleFlight[int](), Work()
    work.go_on.set()

    assert [await flights.run("one", work), await flights.run("one", work)] == [1, 2]


async def test_all_are_told_of_a_failure_and_who_asks_later_tries_again() -> None:
    flights, work = SingleFlight[int](), Work()
    work.fault = ValueError("broken")
    waiting = await several(flights, work, "one", "one")
    work.go_on.set()

    assert await asyncio.gather(*waiting, return_exceptions=True) == [work.fault, work.fault]
    work.fault = None
    assert await flights.run("one", work) == 2


async def test_who_leaves_takes_nothing_from_the_others() -> None:
    flights, work = SingleFlight[int](), Work()
    first, second = await several(flights, work, "one", "one")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.go_on.set()

    assert await second == 1
    assert work.cancelled == 0


async def test_the_last_who_leaves_ends_the_work() -> None:
    flights, work = SingleFlight[int](), Work()
    waiting = await several(flights, work, "one", "one")
    for one in waiting:
        one.cancel()
    await asyncio.wait(waiting)

    assert (work.begun, work.cancelled) == (1, 1)
    work.go_on.set()
    assert await flights.run("one", work) == 2


async def test_who_comes_while_the_work_is_being_ended_gets_work_of_their_own() -> None:
    flights, work = SingleFlight[int](), Work()
    [leaving] = await several(flights, work, "one")
    leaving.cancel()
    work.go_on.set()
    await asyncio.sleep(0)

    assert await flights.run("one", work) == 2
    await asyncio.wait([leaving])
    assert leaving.cancelled()


async def test_work_that_fails_while_it_is_being_ended_has_nobody_left_to_tell() -> None:
    flights = SingleFlight[int]()
    complaints: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    gc.collect()  # the loop is that of other tests as well: what they left behind complains before this one listens
    loop.set_exception_handler(lambda _loop, complaint: complaints.append(complaint))

    async def work() -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OSError from None
        return 1

    try:
        leaving = asyncio.create_task(flights.run("one", work))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        assert leaving.cancelled()
        del leaving  # and with it the work, whose end asyncio complains of if nobody has looked at it
        gc.collect()
    finally:
        loop.set_exception_handler(None)

    assert complaints == []
