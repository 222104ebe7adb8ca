"""Keys asked for one by one and a level at a time share one loader."""

from __future__ import annotations

import asyncio

import pytest

from gallery.domain.errors import UnavailableError
from gallery.web.graphql.level_loader import LevelLoader


class Reader:
    """Answers with the squares of numbers but zero, and remembers which it was asked for."""

    def __init__(self) -> None:
        self.reads: list[list[int]] = []
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, keys: list[int]) -> dict[int, int]:
        self.reads.append(list(keys))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return {key: key * key for key in keys if key}


@pytest.fixture
def reader() -> Reader:
    return Reader()


async def test_a_level_is_one_read_of_each_key_once_and_answered_in_its_order(reader: Reader) -> None:
    loader = LevelLoader(reader.read, 0)

    assert await loader.load_level([3, 1, 3, 2]) == [9, 1, 9, 4]

    assert reader.reads == [[3, 1, 2]]


async def test_what_one_way_has_loaded_the_other_does_not_read_again(reader: Reader) -> None:
    loader = LevelLoader(reader.read, 0)
    await loader.load_level([1, 2])
    await loader.load(3)

    assert await loader.load_many([1, 2]) == [1, 4]
    assert await loader.load_level([2, 3, 4]) == [4, 9, 16]

    assert reader.reads == [[1, 2], [3], [4]]


async def test_what_the_reader_leaves_out_is_missing_both_ways(reader: Reader) -> None:
    loader = LevelLoader(reader.read, -1)

    assert await loader.load_level([0, 2]) == [-1, 4]
    assert await loader.load(0) == -1
    assert await LevelLoader(reader.read, -1).load(0) == -1
    assert reader.reads == [[0, 2], [0]]


async def test_no_keys_are_no_read(reader: Reader) -> None:
    assert await LevelLoader(reader.read, 0).load_level([]) == []
    assert reader.reads == []


async def test_a_level_waits_for_what_is_being_read_already(reader: Reader) -> None:
    loader = LevelLoader(reader.read, 0)
    reader.gate.clear()
    first = asyncio.create_task(loader.load_level([1, 2]))
    await asyncio.sleep(0)
    second = asyncio.create_task(loader.load_level([2, 3]))
    third = loader.load(1)
    await asyncio.sleep(0)
    reader.gate.set()

    assert (await first, await second, await third) == ([1, 4], [4, 9], 1)

    assert reader.reads == [[1, 2], [3]]


async def test_a_failed_read_fails_all_who_wait_for_it_and_is_tried_again(reader: Reader) -> None:
    loader = LevelLoader(reader.read, 0)
    reader.error = UnavailableError("database")
    reader.gate.clear()
    waiting = [asyncio.create_task(loader.load_level(keys)) for keys in ([1, 2], [2], [2, 3])]
    await asyncio.sleep(0)
    reader.gate.set()

    for task in waiting:
        with pytest.raises(UnavailableError):
            await task
    reader.error = None
    assert await loader.load_level([1, 2]) == [1, 4]


async def test_who_is_cancelled_takes_nothing_from_others_who_wait_for_the_same(reader: Reader) -> None:
    loader = LevelLoader(reader.read, 0)
    reader.gate.clear()
    first = asyncio.create_task(loader.load_level([1, 2]))
    await asyncio.sleep(0)
    second = asyncio.create_task(loader.load_level([2, 3]))
    alone = asyncio.ensure_future(loader.load(1))
    third = asyncio.create_task(loader.load_level([1, 2, 3]))
    await asyncio.sleep(0)

    for task in (first, second):
        task.cancel()
    alone.cancel()
    await asyncio.wait([first, second])
    reader.gate.set()

    assert (first.cancelled(), second.cancelled(), alone.cancelled()) == (True, True, True)
    assert await third == [1, 4, 9]
    assert await loader.load_many([1, 2, 3]) == [1, 4, 9]
    assert reader.reads == [[1, 2], [3], [1], [2, 3]]


async def test_what_is_asked_for_one_by_one_in_the_same_turn_is_one_read(reader: Reader) -> None:
    loader = LevelLoader(reader.read, 0)

    assert await loader.load_many([3, 1, 3, 2]) == [9, 1, 9, 4]

    assert reader.reads == [[3, 1, 2]]


async def test_who_was_asked_first_is_cancelled_before_anything_is_read(reader: Reader) -> None:
    loader = LevelLoader(reader.read, 0)
    first, *others = [loader.load(key) for key in (1, 2, 3)]
    first.cancel()

    assert await asyncio.gather(*others) == [4, 9]

    assert first.cancelled()
    assert reader.reads == [[1, 2, 3]]


async def test_who_waits_for_another_may_be_cancelled_too(reader: Reader) -> None:
    loader = LevelLoader(reader.read, 0)
    reader.gate.clear()
    first, second = (asyncio.create_task(loader.load_level([1])) for _ in range(2))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])
    reader.gate.set()

    assert await first == [1]
    assert second.cancelled()


async def test_a_read_that_fails_when_nobody_waits_any_more_is_tried_again(reader: Reader) -> None:
    loader = LevelLoader(reader.read, 0)
    reader.error = UnavailableError("database")
    reader.gate.clear()
    first = asyncio.create_task(loader.load_level([1]))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    reader.gate.set()
    for _ in range(5):
        await asyncio.sleep(0)
    reader.error = None

    assert await loader.load_level([1]) == [1]
