"""Who is let in while others work, in which order, and who is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gallery.domain.errors import OverloadedError
from gallery.domain.waiting import Places
from gallery.web.graphql.turns import Turns

LONG = 60.0


class Work:
    """Work that goes on until it is let go."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.begun: list[str] = []
        self._go_on: dict[str, asyncio.Event] = {}

    async def start(self, name: str, asker: str = "") -> asyncio.Task[str]:
        event = self._go_on[name] = asyncio.Event()

        async def work() -> str:
            self.begun.append(name)
            await event.wait()
            return name

        task = asyncio.create_task(self.turns.run(asker or name, work))
        await rest()
        return task

    async def finish(self, name: str) -> None:
        self._go_on[name].set()
        await rest()


async def rest() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def work_of(most: int, places: int, timeout_seconds: float = LONG) -> Work:
    return Work(Turns(most, Places(places), timeout_seconds))


async def test_as_many_work_at_once_as_may_and_others_follow_in_their_order() -> None:
    work = work_of(2, 10)
    tasks = [await work.start(name) for name in "abcd"]
    assert work.begun == ["a", "b"]
    await work.finish("b")
    assert work.begun == ["a", "b", "c"]
    await work.finish("a")
    assert work.begun == ["a", "b", "c", "d"]
    await work.finish("c")
    await work.finish("d")
    assert await asyncio.gather(*tasks) == ["a", "b", "c", "d"]


async def test_who_finds_no_place_is_refused_at_once_and_does_nothing() -> None:
    work = work_of(1, 2)
    first = await work.start("a")
    waiting = [await work.start(name) for name in "bc"]
    refused = await work.start("d")
    with pytest.raises(OverloadedError):
        await refused
    for name in "abc":
        await work.finish(name)
    await asyncio.gather(first, *waiting)
    assert work.begun == ["a", "b", "c"]


async def test_who_waits_for_too_long_is_refused_and_leaves_the_line() -> None:
    work = work_of(1, 1, 0.01)
    first = await work.start("a")
    with pytest.raises(OverloadedError):
        await (await work.start("b"))
    last = await work.start("c")
    await work.finish("a")
    await work.finish("c")
    assert [await first, await last] == ["a", "c"]
    assert work.begun == ["a", "c"]


async def test_who_is_cancelled_takes_no_turn() -> None:
    work = work_of(1, 10)
    first = await work.start("a")
    cancelled, last = await work.start("b"), await work.start("c")
    cancelled.cancel()
    await work.finish("a")
    await work.finish("c")
    assert [await first, await last] == ["a", "c"]
    assert work.begun == ["a", "c"]


async def test_a_turn_is_passed_on_by_who_is_cancelled_as_it_comes() -> None:
    work = work_of(1, 10)
    await work.start("a")
    cancelled, last = await work.start("b"), await work.start("c")
    work._go_on["a"].set()
    await asyncio.sleep(0)  # "a" has ended and named "b", who does not know yet
    cancelled.cancel()
    await rest()
    assert work.begun == ["a", "c"]
    await work.finish("c")
    assert await last == "c"
    again = await work.start("d")
    await work.finish("d")
    assert await again == "d", "no turn was lost"


async def test_who_was_cancelled_and_does_not_know_is_passed_over() -> None:
    work = work_of(1, 10)
    await work.start("a")
    cancelled, last = await work.start("b"), await work.start("c")
    cancelled.cancel()
    work._go_on["a"].set()
    await rest()
    await work.finish("c")
    assert await last == "c"
    assert "b" not in work.begun
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_who_has_waited_for_too_long_and_does_not_know_is_passed_over_and_refused() -> None:
    places = Places(10)
    work = Work(Turns(1, places, 0))
    await work.start("a")

    async def never() -> None:
        raise AssertionError

    late = asyncio.create_task(work.turns.run("b", never))
    await asyncio.sleep(0)
    work._go_on["a"].set()
    with pytest.raises(OverloadedError):
        await late
    assert places.taken == 0
    again = await work.start("c")
    await work.finish("c")
    assert await again == "c"


async def test_work_that_fails_gives_its_turn_back() -> None:
    turns = Turns(1, Places(1), LONG)

    async def failing() -> str:
        raise RuntimeError

    async def working() -> str:
        return "done"

    for work in (failing, failing):
        with pytest.raises(RuntimeError):
            await turns.run("somebody", work)
    succeeding: Callable[[], Awaitable[str]] = working
    assert await turns.run("somebody", succeeding) == "done"


async def test_one_asker_does_not_take_all_the_places() -> None:
    work = work_of(1, 4)
    tasks = [await work.start("a"), *[await work.start(f"b{number}", "greedy") for number in range(2)]]
    refused = await work.start("b2", "greedy")
    with pytest.raises(OverloadedError):
        await refused
    tasks.append(await work.start("c", "modest"))
    for name in ("a", "b0", "b1", "c"):
        await work.finish(name)
    await asyncio.gather(*tasks)
    assert work.begun == ["a", "b0", "b1", "c"]
