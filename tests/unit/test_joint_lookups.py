"""Look-ups that go out together, and what each who asked is told."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import pytest

from gallery.platform.cache.joint_lookups import JointLookups


class Store:
    """Answers when it is let, with what lies there then."""

    def __init__(self) -> None:
        self.values = {b"a": 1, b"b": 2}
        self.asked: list[list[bytes]] = []
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def look_up(self, keys: Collection[bytes]) -> Mapping[bytes, int]:
        self.asked.append(list(keys))
        self.is_asked.set()
        found = {key: self.values[key] for key in keys if key in self.values}
        await self.may_answer.wait()
        return found


@pytest.fixture
async def store() -> Store:
    return Store()


@pytest.fixture
async def lookups(store: Store) -> JointLookups[int]:
    return JointLookups(store.look_up)


async def test_who_asks_at_the_same_time_asks_together(store: Store, lookups: JointLookups[int]) -> None:
    assert await asyncio.gather(*map(lookups.find, (b"a", b"b", b"a", b"c"))) == [1, 2, 1, None]
    assert store.asked == [[b"a", b"b", b"c"]]


async def test_nobody_gets_what_was_looked_up_before_it_asked(store: Store, lookups: JointLookups[int]) -> None:
    store.may_answer.clear()
    first = asyncio.create_task(lookups.find(b"a"))
    await store.is_asked.wait()
    store.values[b"a"] = 10
    second = asyncio.create_task(lookups.find(b"a"))
    await asyncio.sleep(0)
    store.may_answer.set()
    assert (await first, await second) == (1, 10)


async def test_many_are_asked_for_in_several_questions(store: Store, lookups: JointLookups[int]) -> None:
    await asyncio.gather(*(lookups.find(b"%d" % number) for number in range(20)))
    assert [len(keys) for keys in store.asked] == [16, 4]


async def test_one_who_goes_away_takes_nothing_from_the_others(store: Store, lookups: JointLookups[int]) -> None:
    store.may_answer.clear()
    leaving, staying = (asyncio.create_task(lookups.find(b"a")) for _ in range(2))
    await store.is_asked.wait()
    leaving.cancel()
    store.may_answer.set()
    assert await staying == 1
    assert leaving.cancelled()


async def test_nobody_waits_for_ever_if_the_question_is_given_up() -> None:
    asked = asyncio.Event()

    async def look_up(_keys: Collection[bytes]) -> Mapping[bytes, int]:
        asked.set()
        raise asyncio.CancelledError

    lookups = JointLookups[int](look_up)
    assert await asyncio.gather(*(lookups.find(b"%d" % number) for number in range(20))) == [None] * 20
    assert asked.is_set()
