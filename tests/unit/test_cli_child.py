"""A serving process that does not do what it is told, or says nothing any more, is not waited for without end."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator

import pytest

from gallery.cli.channel import Topic
from gallery.cli.child import LAST_LOOK, WORRYING_LOOKS
from tests.unit.played_processes import PlayedProcess

HOUR_SECONDS = 3600.0


def nothing(*_: str) -> None:
    """Whatever it says is of no interest."""


@pytest.fixture
async def process() -> AsyncIterator[PlayedProcess]:
    process = await PlayedProcess.start(7)
    yield process
    await process.close()


@pytest.fixture
async def living(process: PlayedProcess) -> AsyncIterator[asyncio.Task[int]]:
    living = asyncio.create_task(process.child.live(on_ready=nothing, counted=nothing, count_all=nothing))
    yield living
    await process.die()
    await living


async def is_ready(process: PlayedProcess) -> None:
    process.channel.say(Topic.READY)
    await process.child.ready.wait()


async def test_one_that_does_not_end_is_told_to_hang_up_and_then_killed(
    process: PlayedProcess, living: asyncio.Task[int]
) -> None:
    ending = asyncio.create_task(process.child.end(0, 0))
    told = [(await process.heard()).topic, (await process.heard()).topic]
    await process.channel.close()
    await ending

    assert told == [Topic.STOP, Topic.HANG_UP]
    assert await living == -signal.SIGKILL
    assert process.child.is_to_end


async def test_one_that_ends_when_it_is_told_to_is_told_once(process: PlayedProcess, living: asyncio.Task[int]) -> None:
    ending = asyncio.create_task(process.child.end(HOUR_SECONDS, HOUR_SECONDS))
    told = await process.heard()
    await process.die()
    await ending

    assert told.topic is Topic.STOP
    assert living.done() or await living
    assert await process.heard_to_the_end() == []


async def test_one_that_says_nothing_for_long_is_warned_of_and_killed_in_the_end(
    process: PlayedProcess, living: asyncio.Task[int], caplog: pytest.LogCaptureFixture
) -> None:
    await is_ready(process)
    for _ in range(LAST_LOOK):
        process.child.look()
    await process.channel.close()

    assert await living == -signal.SIGKILL
    assert not process.child.is_to_end  # so another takes its place
    assert caplog.record_tuples == [
        ("gallery.cli.child", logging.WARNING, "serving process 7 has said nothing for 30 seconds"),
        ("gallery.cli.child", logging.ERROR, "serving process 7 has said nothing for 300 seconds; killing it"),
    ]


async def test_a_word_is_enough(
    process: PlayedProcess, living: asyncio.Task[int], caplog: pytest.LogCaptureFixture
) -> None:
    await is_ready(process)
    for _ in range(WORRYING_LOOKS - 1):
        process.child.look()
    counting = asyncio.create_task(process.child.count())
    question = await process.heard()
    process.channel.say(Topic.ALIVE)
    process.channel.say(Topic.COUNTED, number=question.number, told=("[]",))
    await counting
    for _ in range(WORRYING_LOOKS - 1):
        process.child.look()

    assert caplog.record_tuples == []
    assert not living.done()


async def test_one_that_is_not_ready_has_nothing_to_say(
    process: PlayedProcess, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(LAST_LOOK):
        process.child.look()

    assert caplog.record_tuples == []
