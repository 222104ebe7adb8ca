"""How fast clients send and read. Who is too slow gives its connection up.

Nothing of this is done while requests are answered: the server looks at all connections from time to time, and compares
how they stand with how they stood before.
"""

from __future__ import annotations

import struct
import sys
from asyncio import Transport
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto, unique
from typing import Final, Protocol

from gallery.settings_connections import ConnectionSettings

_LOOKS: Final = 5
"""How often a connection is looked at in the time that it has: it is cut off that part of it late at most."""
_LONGEST_PAUSE_SECONDS: Final = 1.0
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


class Looked(Protocol):
    """A connection that is looked at."""

    stood: tuple[float, Standing] | None
    """Since when it stands in a way, and how it stood then."""

    def standing(self) -> Standing | None:
        """What the client is to do; None while it is the gallery's turn, and between two requests."""
        ...

    def cut(self, turn: Turn) -> None:
        """Ends the connection, which is too slow at this."""
        ...


class Pace:
    """Looks at connections, and ends those whose clients are too slow."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
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
            elif connection.stood is None or not _is_same(connection.stood[1], standing):
                connection.stood = now, standing
            else:
                self._judge(connection, standing, now)

    def _judge(self, connection: Looked, standing: Standing, now: float) -> None:
        assert connection.stood is not None  # noqa: S101  # seen before
        since, before = connection.stood
        seconds = now - since
        if standing.turn is Turn.SEND_HEAD:
            if seconds >= self._settings.head_timeout_seconds:
                connection.cut(standing.turn)
        elif seconds >= self._settings.pace_window_seconds:
            if standing.moved_bytes - before.moved_bytes < seconds * self._settings.min_bytes_per_second:
                connection.cut(standing.turn)
            else:
                connection.stood = now, standing


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
