"""What the process that supervises and those that serve say to each other: lines of JSON, over a pair of sockets.

A side whose stream ends knows that the other one has ended, however it did.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum, unique
from typing import Final, Self

import orjson

_LONGEST_LINE_BYTES: Final = 64 * 1024 * 1024
"""The metrics of all processes, with much to spare."""
_MUCH_BYTES: Final = 1024 * 1024


@unique
class Topic(StrEnum):
    """What a message is about; who says it in brackets."""

    READY = "ready"
    """Requests are answered (serving)."""
    ALIVE = "alive"
    """I have nothing to tell, and could (serving)."""
    COUNT = "count"
    """What have you counted? (supervising)"""
    COUNTED = "counted"
    """This; the number is that of the question, 0 if nobody has asked (serving)."""
    COUNT_ALL = "count all"
    """This is what I have counted, what have the others? (serving)"""
    COUNTED_ALL = "counted all"
    """This, yours included (supervising)."""
    DISTRUST_CACHE = "distrust cache"
    """Somebody ended before the cache was told what it had written (supervising)."""
    STOP = "stop"
    """Finish what you are doing and end (supervising)."""
    HANG_UP = "hang up"
    """End without finishing (supervising)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One line."""

    topic: Topic
    number: int = 0
    told: tuple[str, ...] = ()


class Channel:
    """One end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Self:
        """Speaks over one of a pair of sockets, and closes it."""
        return cls(*await asyncio.open_unix_connection(sock=end, limit=_LONGEST_LINE_BYTES))

    def say(self, topic: Topic, *, number: int = 0, told: tuple[str, ...] = ()) -> None:
        """Sends a message; to one who has ended already it is in vain."""
        message = Message(topic=topic, number=number, told=told)
        with suppress(OSError, RuntimeError):  # the second is uvloop's, of a pipe that is closed
            self._writer.write(orjson.dumps(asdict(message)) + b"\n")

    @property
    def is_stalled(self) -> bool:
        """Whether the other side has left much of what was said unread."""
        return self._writer.transport.get_write_buffer_size() > _MUCH_BYTES

    async def hear(self) -> AsyncIterator[Message]:
        """The messages of the other side until it ends, without one that it was cut off in."""
        with suppress(OSError):
            async for line in self._reader:
                if not line.endswith(b"\n"):
                    return
                content = orjson.loads(line)
                yield Message(topic=Topic(content["topic"]), number=content["number"], told=tuple(content["told"]))

    async def close(self) -> None:
        """Sends what is not sent yet, and ends."""
        self._writer.close()
        with suppress(OSError, RuntimeError):
            await self._writer.wait_closed()
