"""Reads by ids that go out together: who reads, what each gets, and what becomes of those whose reader fails."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from gallery.domain.errors import OverloadedError
from gallery.platform.database.engine import create_engine
from gallery.platform.database.joint_reads import JointReads
from gallery.platform.database.rendered import Rendered
from gallery.platform.database.statements import LeanReading
from gallery.settings import DatabaseSettings

A, B, C, D = (UUID(int=number) for number in range(1, 5))


class Table:
    """Knows a text of each id but D; answers one read after the other, as it is told."""

    def __init__(self) -> None:
        self.reads: list[set[UUID]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def read(self, ids: Collection[UUID]) -> dict[UUID, str]:
        self.reads.append(set(ids))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return {id_: f"of {id_.int}" for id_ in ids if id_ != D}


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_what_is_asked_for_in_the_same_turn_is_one_read_of_which_each_gets_its_own() -> None:
    joint, table = JointReads(), Table()

    found = await asyncio.gather(
        joint.read("same", [A, D], table.read),
        joint.read("same", [B], table.read),
        joint.read("same", [A, C], table.read),
    )

    assert list(found) == [{A: "of 1"}, {B: "of 2"}, {A: "of 1", C: "of 3"}]
    assert table.reads == [{A, B, C, D}]


async def test_other_reads_are_not_joined() -> None:
    joint, table = JointReads(), Table()

    await asyncio.gather(joint.read("one", [A], table.read), joint.read(("other", B), [A], table.read))

    assert table.reads == [{A}, {A}]


async def test_nobody_gets_what_was_read_before_they_asked() -> None:
    joint, table = JointReads(), Table()
    table.gate.clear()
    first = asyncio.create_task(joint.read("same", [A], table.read))
    await turns(3)
    assert table.reads == [{A}]

    second = asyncio.create_task(joint.read("same", [A], table.read))
    await turns(3)
    table.gate.set()

    assert [await first, await second] == [{A: "of 1"}, {A: "of 1"}]
    assert table.reads == [{A}, {A}]


async def test_what_comes_while_a_read_is_under_way_gathers_until_it_is_over() -> None:
    joint, table = JointReads(), Table()
    table.gate.clear()
    first = asyncio.create_task(joint.read("same", [A], table.read))
    await turns(3)

    second = asyncio.create_task(joint.read("same", [B], table.read))
    await turns(3)
    third = asyncio.create_task(joint.read("same", [C], table.read))
    await turns(3)
    table.gate.set()
    await asyncio.gather(first, second, third)

    assert table.reads == [{A}, {B, C}]


async def test_a_slow_read_keeps_the_next_one_waiting_for_a_moment_only() -> None:
    joint, table = JointReads(), Table()
    table.gate.clear()
    slow = asyncio.create_task(joint.read("same", [A], table.read))
    await turns(3)

    other = Table()
    async with asyncio.timeout(5):  # else it would hang
        assert await joint.read("same", [B], other.read) == {B: "of 2"}

    assert not slow.done()
    table.gate.set()
    assert await slow == {A: "of 1"}


async def test_a_read_takes_no_more_ids_than_are_there_soon() -> None:
    joint, table = JointReads(), Table()
    many = [UUID(int=number) for number in range(100, 250)]
    more = [UUID(int=number) for number in range(300, 450)]

    await asyncio.gather(joint.read("same", many, table.read), joint.read("same", more, table.read))

    assert sorted(map(len, table.reads)) == [150, 150]


async def test_an_error_is_everybodys_and_is_not_remembered() -> None:
    joint, table = JointReads(), Table()
    table.error = OSError("gone")

    results = await asyncio.gather(
        joint.read("same", [A], table.read), joint.read("same", [B], table.read), return_exceptions=True
    )

    assert list(results) == [table.error, table.error]
    table.error = None
    assert await joint.read("same", [A], table.read) == {A: "of 1"}


@pytest.mark.parametrize("turns_before", [1, 3], ids=["gathering", "reading"])
async def test_if_the_one_who_reads_is_cancelled_another_reads_for_all_others(turns_before: int) -> None:
    joint, table = JointReads(), Table()
    table.gate.clear()
    first, second, third = (asyncio.create_task(joint.read("same", [id_], table.read)) for id_ in (A, B, C))
    await turns(turns_before)

    first.cancel()
    await turns(2)
    table.gate.set()

    assert [await second, await third] == [{B: "of 2"}, {C: "of 3"}]
    assert first.cancelled()
    assert table.reads[-1] == {B, C}


async def test_who_waits_and_is_cancelled_takes_nobody_along() -> None:
    joint, table = JointReads(), Table()
    table.gate.clear()
    first, second = (asyncio.create_task(joint.read("same", [id_], table.read)) for id_ in (A, B))
    await turns(3)

    second.cancel()
    await turns(1)
    table.gate.set()

    assert await first == {A: "of 1"}
    assert second.cancelled()


async def test_nothing_is_kept_of_reads_that_are_over() -> None:
    joint, table = JointReads(), Table()
    table.gate.clear()
    tasks = [asyncio.create_task(joint.read("same", [id_], table.read)) for id_ in (A, B)]
    await turns(3)
    tasks[0].cancel()
    table.gate.set()
    await asyncio.wait(tasks)

    assert (joint._gathering, joint._under_way) == ({}, {})


class RecordedReading(LeanReading):
    """Notes the values of statements instead of sending them."""

    def __init__(self) -> None:
        super().__init__(create_engine("postgresql://nowhere.example/gallery", DatabaseSettings()))
        self.sent: list[Mapping[str, Any]] = []

    async def rows(
        self, _statement: Rendered, values: Mapping[str, Any] | None = None, _row: type[asyncpg.Record] = asyncpg.Record
    ) -> list[asyncpg.Record]:
        told = {name: sorted(value) if name == "ids" else value for name, value in (values or {}).items()}
        self.sent.append(told)
        return []


def nothing(_rows: Sequence[asyncpg.Record]) -> dict[UUID, str]:
    return {}


async def test_what_is_asked_for_with_other_values_is_another_statement() -> None:
    reading, statement = RecordedReading(), Rendered(sql="", names=("viewer", "ids"), constants={})

    await asyncio.gather(
        reading.by_ids(statement, [A], nothing, values={"viewer": C}),
        reading.by_ids(statement, [B], nothing, values={"viewer": D}),
        reading.by_ids(statement, [B], nothing, values={"viewer": C}),
    )

    assert reading.sent == [{"viewer": C, "ids": [A, B]}, {"viewer": D, "ids": [B]}]


async def test_who_is_refused_takes_nobody_with_them_who_joined() -> None:
    joint, table = JointReads(), Table()

    async def refused_at_first(ids: Collection[UUID]) -> dict[UUID, str]:
        found = await table.read(ids)
        if len(table.reads) == 1:
            raise OverloadedError
        return found

    first, second = await asyncio.gather(
        joint.read("same", [A], refused_at_first),
        joint.read("same", [B], refused_at_first),
        return_exceptions=True,
    )

    assert isinstance(first, OverloadedError)
    assert second == {B: "of 2"}
    assert table.reads == [{A, B}, {B}]
