"""How fast clients send and read. Who is too slow gives its connection up.

Nothing of this is done while requests are answered: the server looks at all connections from time to time, and compares
how they stand with how they stood before.
"""

from __future__ import annotations

import struct
import sys
from asyncio import Transport
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto, unique
from typing import Final, Protocol

from gallery.settings_connections import ConnectionSettings

_LOOKS: Final = 5
"""How often a connection is looked at in the time that it has: it is cut off that part of it late at most."""
_LONGEST_PAUSE_SECONDS: Final = 1.0
_SILENT_LOOKS: Final = 2
"""After how many looks without a byte a client is silent, rather than slow."""
_INT: Final = struct.Struct("i")


@unique
class Turn(Enum):
    """What a client is to do next."""

    SEND_HEAD = auto()
    SEND_BODY = auto()
    READ_ANSWER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is waited for: of which request of the connection, and how many bytes have passed in that direction."""

    turn: Turn
    request_number: int
    moved_bytes: int


@dataclass(slots=True, kw_only=True)
class Stood:
    """How a connection stood before, and since when."""

    standing: Standing
    since: float
    heard_at: float
    """When something was last seen to have moved; it may have been one look earlier."""
    heard_bytes: int
    """How many had moved then."""
    owed_bytes: float = 0
    """What is to move beside what the time asks for: a silence is to be made up for."""
    is_excused: bool = False
    """Whether a silence has lasted longer than a window, and may."""


class Looked(Protocol):
    """A connection that is looked at."""

    stood: Stood | None

    def standing(self) -> Standing | None:
        """What the client is to do; None while it is the gallery's turn, and between two requests."""
        ...

    def cut(self, turn: Turn) -> None:
        """Ends the connection, which is too slow at this."""
        ...


class Pace:
    """Looks at connections, and ends those whose clients are too slow.

    A client that has kept pace with its body and falls silent is the business of who waits for the body
    (`RequestBody.read`), which can say what was stored. Once it goes on it has to make up for one window, so that a
    byte now and then is not enough. Only a silence that nobody else ends is ended here.
    """

    def __init__(self, settings: ConnectionSettings, silence_seconds: float) -> None:
        """Takes how long others let a body be silent."""
        self._settings = settings
        self._silence_seconds = silence_seconds + settings.pace_window_seconds
        self._window_bytes = settings.pace_window_seconds * settings.min_bytes_per_second
        self.pause_seconds = min(
            _LONGEST_PAUSE_SECONDS, settings.head_timeout_seconds / _LOOKS, settings.pace_window_seconds / _LOOKS
        )
        """How long to wait between two looks."""

    def look(self, connections: Iterable[Looked], now: float) -> None:
        """Looks at all connections at a time of a clock that never goes back, in seconds."""
        for connection in connections:
            standing = connection.standing()
            if standing is None:
                connection.stood = None
            elif connection.stood is None or not _is_same(connection.stood.standing, standing):
                connection.stood = _begun(standing, now)
            else:
                self._judge(connection, connection.stood, standing, now)

    def _judge(self, connection: Looked, stood: Stood, standing: Standing, now: float) -> None:
        if standing.moved_bytes != stood.heard_bytes:
            if stood.is_excused:
                before = replace(standing, moved_bytes=stood.heard_bytes)
                connection.stood = replace(_begun(standing, now), standing=before, owed_bytes=self._window_bytes)
                return
            stood.heard_at, stood.heard_bytes = now, standing.moved_bytes
        seconds = now - stood.since
        if standing.turn is Turn.SEND_HEAD:
            if seconds >= self._settings.head_timeout_seconds:
                connection.cut(standing.turn)
        elif seconds >= self._settings.pace_window_seconds:
            if self._has_kept_pace(stood, seconds):
                connection.stood = replace(_begun(standing, now), heard_at=stood.heard_at)
            elif standing.turn is Turn.SEND_BODY and self._may_be_silent(stood, now):
                stood.is_excused = True
            else:
                connection.cut(standing.turn)

    def _has_kept_pace(self, stood: Stood, seconds: float) -> bool:
        moved_bytes = stood.heard_bytes - stood.standing.moved_bytes
        return moved_bytes >= seconds * self._settings.min_bytes_per_second + stood.owed_bytes

    def _may_be_silent(self, stood: Stood, now: float) -> bool:
        """Whether nothing comes at the moment, but enough did before, and somebody else may still wait for more."""
        is_silent = _SILENT_LOOKS * self.pause_seconds <= now - stood.heard_at < self._silence_seconds
        return is_silent and self._has_kept_pace(stood, stood.heard_at - self.pause_seconds - stood.since)


def unacknowledged_bytes(transport: Transport) -> int:
    """What the kernel holds of what was sent: not all of it has reached the client. 0 where that cannot be told.

    The kernel takes megabytes at once, so that a client that reads steadily and slowly would seem to read nothing.
    """
    connection = transport.get_extra_info("socket")
    if not sys.platform.startswith("linux") or connection is None:
        return 0
    from fcntl import ioctl  # noqa: PLC0415  # not everywhere
    from termios import TIOCOUTQ  # noqa: PLC0415  # the same number as SIOCOUTQ (tcp(7))

    try:
        (count,) = _INT.unpack(ioctl(connection.fileno(), TIOCOUTQ, _INT.pack(0)))
    except (OSError, ValueError):  # it is closed
        return 0
    return int(count)


def _is_same(before: Standing, now: Standing) -> bool:
    return (before.turn, before.request_number) == (now.turn, now.request_number)


def _begun(standing: Standing, now: float) -> Stood:
    return Stood(standing=standing, since=now, heard_at=now, heard_bytes=standing.moved_bytes)
