"""The supervisor goes on, and comes to an end, whatever its processes do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from gallery.cli.channel import Topic
from gallery.cli.supervisor import Supervisor
from gallery.settings import ServerSettings, Settings
from tests.unit.played_processes import PlayedProcess, PlayedProcesses

HOUR_SECONDS = 3600.0


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
async def processes() -> AsyncIterator[PlayedProcesses]:
    processes = PlayedProcesses()
    yield processes
    await processes.end()


@asynccontextmanager
async def supervising(
    processes: PlayedProcesses, listener: socket.socket, *, workers: int, patience_seconds: float = HOUR_SECONDS
) -> AsyncIterator[tuple[Supervisor, asyncio.Task[int]]]:
    """A supervisor that runs; afterwards everything has ended."""
    settings = Settings(server=ServerSettings(workers=workers, shutdown_timeout_seconds=patience_seconds))
    supervisor = Supervisor(settings, [listener], launch=processes.launch, margin_seconds=0)
    running = asyncio.create_task(supervisor.run(lambda: None))
    try:
        yield supervisor, running
    finally:
        processes.may_start.set()
        supervisor.stop()
        while not running.done():  # one may still be being started
            for process in list(processes.started):
                await process.die()
            await asyncio.sleep(0)
        await running


async def is_ready(process: PlayedProcess) -> None:
    process.channel.say(Topic.READY)
    await process.child.ready.wait()


async def test_one_that_is_replaced_and_does_not_end_is_in_nobody_s_way(
    processes: PlayedProcesses, listener: socket.socket
) -> None:
    async with supervising(processes, listener, workers=1, patience_seconds=0) as (supervisor, _):
        for count in (1, 2):
            *_, newest = await processes.first(count)
            await is_ready(newest)
            supervisor.replace_all()
            *_, newer = await processes.first(count + 1)
            await is_ready(newer)
            told = await newest.heard_until(Topic.HANG_UP)
            await newest.channel.close()
            await newest.child.gone.wait()

            assert Topic.STOP in told
            assert not newer.child.gone.is_set()


async def test_told_to_stop_it_ends_even_if_a_process_does_not(
    processes: PlayedProcesses, listener: socket.socket
) -> None:
    async with supervising(processes, listener, workers=2, patience_seconds=0) as (supervisor, running):
        for process in await processes.first(2):
            await is_ready(process)
        supervisor.stop()
        for process in processes.started:
            assert [(await process.heard()).topic, (await process.heard()).topic] == [Topic.STOP, Topic.HANG_UP]
            await process.channel.close()

        assert await running == 0


async def test_when_one_dies_all_that_are_ready_drop_the_cache(
    processes: PlayedProcesses, listener: socket.socket
) -> None:
    async with supervising(processes, listener, workers=4):
        victim, *others, starting = await processes.first(4)
        for process in (victim, *others):
            await is_ready(process)
        await victim.die()

        assert [(await process.heard()).topic for process in others] == [Topic.DISTRUST_CACHE] * 2
        starting.child.say(Topic.COUNT)
        assert (await starting.heard()).topic is Topic.COUNT


async def test_when_none_is_ready_the_next_one_drops_the_cache(
    processes: PlayedProcesses, listener: socket.socket
) -> None:
    async with supervising(processes, listener, workers=1):
        (victim,) = await processes.first(1)
        await is_ready(victim)
        await victim.die()
        *_, next_one = await processes.first(2)
        await is_ready(next_one)

        assert (await next_one.heard()).topic is Topic.DISTRUST_CACHE


async def test_sockets_stay_open_while_a_process_is_being_started(
    processes: PlayedProcesses, listener: socket.socket
) -> None:
    processes.may_start.clear()
    async with supervising(processes, listener, workers=1, patience_seconds=0) as (supervisor, running):
        await processes.asked.wait()
        supervisor.stop()
        assert listener.fileno() != -1

        processes.may_start.set()
        (process,) = await processes.first(1)
        assert (await process.heard()).topic is Topic.STOP
        assert listener.fileno() == -1
        await process.die()

        assert await running == 0


async def test_told_to_stop_while_it_replaces_all_it_starts_no_more(
    processes: PlayedProcesses, listener: socket.socket
) -> None:
    async with supervising(processes, listener, workers=2) as (supervisor, running):
        for process in await processes.first(2):
            await is_ready(process)
        supervisor.replace_all()
        *_, newer = await processes.first(3)
        await is_ready(newer)
        supervisor.stop()
        first, second, _ = processes.started
        for process in (first, newer, second):
            await process.die()
            await process.child.gone.wait()

        assert len(processes.started) == 3
        assert await running == 0
