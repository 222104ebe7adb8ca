"""One of several processes that serve: what `gallery serve --workers` starts, and stops, and starts again.

It gets its sockets from there, settings by its standard input, and orders by a channel. Signals of a service manager or
a terminal that reach it too change nothing: SIGTERM alone lets it finish and end, and then it is started again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Final, Self

from gallery.cli.channel import Channel, Topic
from gallery.cli.http_server import HttpServer
from gallery.cli.running import loop_factory
from gallery.domain.errors import UnavailableError
from gallery.logs import configure_logging
from gallery.main import GalleryApp
from gallery.settings import Settings

COUNT_SECONDS = 1.0
"""How often a process tells what it has counted without being asked, so that little is lost if it is killed."""
PATIENCE_SECONDS = 3.0
"""How long a page of metrics waits for what all have counted."""
_SUPERVISOR = "process that supervises the others"
_DESCRIPTORS: Final = "/dev/fd"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a serving process is told when it starts. Descriptors are those of sockets that it inherits."""

    settings: Settings
    number: int
    channel: int
    listener: int
    neighbours: Sequence[int]

    def write(self) -> bytes:
        """For the standard input of the process; secrets travel there and nowhere else."""
        return pickle.dumps(self)

    @classmethod
    def read(cls, stream: BinaryIO) -> Self:
        """What `write` gave, from the process that started this one."""
        orders = pickle.load(stream)  # noqa: S301  # from our own parent, by a pipe that nobody else has
        if not isinstance(orders, cls):
            message = "These are no orders for a process that serves."
            raise TypeError(message)
        return orders


class Others:
    """The port `OtherProcesses`: whoever supervises them all knows what they have counted."""

    def __init__(self, number: int, channel: Channel, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.number = number
        self._channel = channel
        self._patience_seconds = patience_seconds
        self._count: Callable[[], bytes] | None = None
        self._asking = asyncio.Lock()
        self._answer: asyncio.Future[Sequence[bytes]] | None = None

    def join(self, count: Callable[[], bytes]) -> None:
        """As the port says."""
        self._count = count

    async def counted(self) -> Sequence[bytes]:
        """As the port says."""
        async with self._asking:
            self._answer = asyncio.get_running_loop().create_future()
            self._channel.say(Topic.COUNT_ALL, told=self._counted())
            try:
                async with asyncio.timeout(self._patience_seconds):
                    return await self._answer
            except TimeoutError:
                raise UnavailableError(_SUPERVISOR) from None

    def tell(self, number: int = 0) -> None:
        """Tells what this process has counted, to whoever asked by that number; nothing if it does not count."""
        if self._count is not None:
            self._channel.say(Topic.COUNTED, number=number, told=self._counted())

    def tell_unasked(self) -> None:
        """Tells it if that is likely to be heard; if nothing is counted, that this process is there."""
        if self._channel.is_stalled:
            return
        if self._count is None:
            self._channel.say(Topic.ALIVE)
        else:
            self.tell()

    def hear(self, told: Sequence[str]) -> None:
        """What all of them have counted has come."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result([one.encode() for one in told])

    def _counted(self) -> tuple[str, ...]:
        return () if self._count is None else (self._count().decode(),)


def let_go(descriptor: int) -> None:
    """Puts /dev/null in the place of a descriptor that is not needed any more, and closes its duplicates.

    A process that uvloop starts has one of each of its standard streams.
    """
    is_same = partial(os.path.samestat, os.fstat(descriptor))
    for other in map(int, os.listdir(_DESCRIPTORS)):  # noqa: PTH208  # names that are numbers, no paths
        with suppress(OSError):  # the one that the folder was read by is closed already
            if other != descriptor and is_same(os.fstat(other)):
                os.close(other)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)


def main() -> None:
    """Serves until told to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    orders = Orders.read(sys.stdin.buffer)
    let_go(sys.stdin.fileno())
    configure_logging(orders.settings.log)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(orders))


async def _serve(orders: Orders) -> None:
    channel = await Channel.over(socket.socket(fileno=orders.channel))
    others = Others(orders.number, channel)
    app = GalleryApp(orders.settings, others)

    def say_ready() -> None:
        others.tell()
        channel.say(Topic.READY)

    server = HttpServer(
        app,
        orders.settings,
        on_start=say_ready,
        neighbours=[socket.socket(fileno=descriptor) for descriptor in orders.neighbours],
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    obeying = asyncio.create_task(_obey(channel, app, server, others))
    telling = asyncio.create_task(_tell_regularly(others))
    try:
        await server.serve(sockets=[socket.socket(fileno=orders.listener)])
        others.tell()
    finally:
        for task in (telling, obeying):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await channel.close()


async def _obey(channel: Channel, app: GalleryApp, server: HttpServer, others: Others) -> None:
    """Does what it is told. If nobody is there to tell any more, finishes and ends."""
    async for message in channel.hear():
        match message.topic:
            case Topic.COUNT:
                others.tell(message.number)
            case Topic.COUNTED_ALL:
                others.hear(message.told)
            case Topic.DISTRUST_CACHE:
                await app.distrust_cache()
            case Topic.STOP:
                server.stop()
            case Topic.HANG_UP:
                server.hang_up()
    if not server.should_exit:
        log.warning("the process that supervises this one has ended; finishing what is under way")
        server.stop()


async def _tell_regularly(others: Others) -> None:
    while True:
        await asyncio.sleep(COUNT_SECONDS)
        others.tell_unasked()
