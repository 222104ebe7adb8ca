"""Serving processes that do nothing by themselves: a test says what they say, and hears what they are told."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Sequence
from typing import Self

from gallery.cli.channel import Channel, Message, Topic
from gallery.cli.child import Child
from gallery.settings import Settings

_IDLE = "import signal; signal.pause()"
_PATIENCE_SECONDS = 20
"""Whoever is told nothing for so long never will be."""


class PlayedProcess:
    """A process that knows nothing of the gallery, and the end of the channel that it would have."""

    def __init__(self, process: asyncio.subprocess.Process, child: Child, channel: Channel, ours: Channel) -> None:
        self.child = child
        self.channel = channel
        self._process = process
        self._ours = ours

    @classmethod
    async def start(cls, number: int) -> Self:
        ours, theirs = socket.socketpair()
        process = await asyncio.create_subprocess_exec(sys.executable, "-I", "-S", "-c", _IDLE)
        supervising, serving = await Channel.over(ours), await Channel.over(theirs)
        return cls(process, Child(number, process, supervising), serving, supervising)

    async def heard(self) -> Message:
        """The next that it is told."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await anext(self.channel.hear())

    async def heard_until(self, last: Topic) -> list[Topic]:
        """What it is told up to this word."""
        topics: list[Topic] = []
        while last not in topics:
            topics.append((await self.heard()).topic)
        return topics

    async def heard_to_the_end(self) -> list[Topic]:
        """What else it is told, until nobody is there any more."""
        return [message.topic async for message in self.channel.hear()]

    async def die(self) -> None:
        """Ends as by a crash, and leaves nothing behind; once it has it does nothing."""
        self.child.kill()
        await self.channel.close()
        await self._process.wait()

    async def close(self) -> None:
        """Ends, and so does what a supervisor has of it."""
        await self.die()
        await self._ours.close()


class PlayedProcesses:
    """Starts them for a supervisor, one after the other."""

    def __init__(self) -> None:
        self.started: list[PlayedProcess] = []
        self.may_start = asyncio.Event()
        self.may_start.set()
        self._news = asyncio.Condition()
        self.asked = asyncio.Event()

    async def launch(self, _settings: Settings, number: int, _listeners: Sequence[socket.socket]) -> Child:
        self.asked.set()
        await self.may_start.wait()
        process = await PlayedProcess.start(number)
        async with self._news:
            self.started.append(process)
            self._news.notify_all()
        return process.child

    async def first(self, count: int) -> list[PlayedProcess]:
        """So many of them, once they are started."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.started) >= count)
        return self.started[:count]

    async def end(self) -> None:
        """Leaves none behind."""
        for process in self.started:
            await process.close()
