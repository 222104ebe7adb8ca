"""A serving process, seen by the one that supervises it."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from gallery.cli.channel import Channel, Topic
from gallery.cli.serving_process import Orders
from gallery.settings import Settings

_PROGRAM: Final = "from gallery.__main__ import serving_process; serving_process()"

LOOK_SECONDS: Final = 5.0
"""How often it is looked whether processes have said something, as they do each second. Looks are counted rather than
seconds: if the one that supervises them is held up too, they have not been silent."""
WORRYING_LOOKS: Final = 6
LAST_LOOK: Final = 60
"""When a process that has said nothing is killed: for five minutes nobody has had an answer from it."""

log = logging.getLogger(__name__)


class Child:
    """One process, from its start to its end."""

    def __init__(self, number: int, process: asyncio.subprocess.Process, channel: Channel) -> None:
        self.number = number
        self.pid = process.pid
        self.started_at = time.monotonic()
        self.is_to_end = False
        """Whether it was told to end, or is about to be: then nobody is surprised when it does."""
        self.ready = asyncio.Event()
        self.gone = asyncio.Event()
        self._process = process
        self._channel = channel
        self._silent_looks = 0
        """How often it was looked at since it last said something."""
        self._asked = self._answered = 0
        self._answers = asyncio.Condition()

    @classmethod
    async def launch(cls, settings: Settings, number: int, listeners: Sequence[socket.socket]) -> Self:
        """Starts the process. The first of the sockets is its own; it gets what secrets it needs by a pipe."""
        ours, theirs = socket.socketpair()
        with theirs:
            own, *neighbours = (listener.fileno() for listener in listeners)
            orders = Orders(
                settings=settings, number=number, channel=theirs.fileno(), listener=own, neighbours=neighbours
            )
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # a module that lies where somebody happens to be is none of ours
                "-c",
                _PROGRAM,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,  # who reads ours is not to wait for others after our end
                pass_fds=[theirs.fileno(), own, *neighbours],
                start_new_session=True,  # Ctrl+C is for the supervisor, who passes it on in order
                cwd=Path.cwd(),
            )
        assert process.stdin is not None  # noqa: S101  # it was asked for
        with suppress(OSError, RuntimeError):  # it has ended already; the second is how uvloop says so
            process.stdin.write(orders.write())
            process.stdin.close()
        return cls(number, process, await Channel.over(ours))

    @property
    def age_seconds(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self.started_at

    async def live(
        self, *, on_ready: Callable[[], None], counted: Callable[[str], None], count_all: Callable[[], None]
    ) -> int:
        """Hears what it says until it ends; with which exit code.

        Calls `on_ready` when it answers requests, `counted` with what it has counted, and after that `count_all` if it
        wants to know that of all.
        """
        async for message in self._channel.hear():
            self._silent_looks = 0
            match message.topic:
                case Topic.READY:
                    self.ready.set()
                    on_ready()
                case Topic.COUNTED:
                    counted(message.told[0])
                    await self._note_answer(message.number)
                case Topic.COUNT_ALL:
                    counted(message.told[0])
                    count_all()
        code = await self._process.wait()
        self.gone.set()
        await self._note_answer(self._asked)
        await self._channel.close()
        return code

    async def count(self) -> None:
        """Returns once it has told what it has counted by now, or has ended."""
        self._asked += 1
        number = self._asked
        self._channel.say(Topic.COUNT, number=number)
        async with self._answers:
            await self._answers.wait_for(lambda: self._answered >= number)

    def say(self, topic: Topic, told: tuple[str, ...] = ()) -> None:
        """Tells it something."""
        self._channel.say(topic, told=told)

    def look(self) -> None:
        """Notes that it may have said nothing since the last look, which is not expected until it is ready."""
        if not self.ready.is_set():
            return
        self._silent_looks += 1
        seconds = self._silent_looks * LOOK_SECONDS
        if self._silent_looks == WORRYING_LOOKS:
            log.warning("serving process %d has said nothing for %.0f seconds", self.number, seconds)
        elif self._silent_looks == LAST_LOOK:
            log.error("serving process %d has said nothing for %.0f seconds; killing it", self.number, seconds)
            self.kill()

    async def end(self, patience_seconds: float, margin_seconds: float) -> None:
        """Has it finish what is under way and end. If it has not then, it is to hang up, and is killed after that."""
        self.is_to_end = True
        self.say(Topic.STOP)
        for seconds, press in ((patience_seconds + margin_seconds, self.hang_up), (margin_seconds, self.kill)):
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.gone.wait()
            if self.gone.is_set():
                return
            press()
        await self.gone.wait()

    def hang_up(self) -> None:
        """Tells it to end at once."""
        self.is_to_end = True
        self.say(Topic.HANG_UP)

    def kill(self) -> None:
        """Ends it; what it was doing is cut off."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def _note_answer(self, number: int) -> None:
        async with self._answers:
            self._answered = max(self._answered, number)
            self._answers.notify_all()
