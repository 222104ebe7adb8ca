"""Head and body of an answer in one packet: uvicorn writes them one by one, and the event loop sends each at once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, Final

_SHORT_BYTES: Final = 4096
"""What is longer than any head goes out at once, unless something waits for it."""


class JoinedWrites:
    """A transport that keeps something short back until more is written, at most until the event loop goes round.

    All else is done by the transport within, in order: what waits is written before it ends.
    """

    __slots__ = ("_loop", "_transport", "_waiting", "written_bytes")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._waiting: bytes | None = None
        self.written_bytes = 0
        """All that was ever written, whether or not the client has it."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the transport has
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Writes data after what waits, or lets them wait."""
        first = self._waiting
        self.written_bytes += len(data)
        if first is not None:
            self._waiting = None
            self._transport.writelines([first, data])
        elif len(data) <= _SHORT_BYTES:
            self._waiting = data
            self._loop.call_soon(self._write_waiting)
        else:
            self._transport.write(data)

    def writelines(self, parts: Collection[bytes]) -> None:
        """Writes all parts at once, after what waits."""
        self._write_waiting()
        self.written_bytes += sum(map(len, parts))
        self._transport.writelines(parts)

    def close(self) -> None:
        """Closes the transport once all is written."""
        self._write_waiting()
        self._transport.close()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hands the connection on to another protocol, which finds nothing waiting."""
        self._write_waiting()
        self._transport.set_protocol(protocol)

    def _write_waiting(self) -> None:
        first, self._waiting = self._waiting, None
        if first is not None and not self._transport.is_closing():
            self._transport.write(first)
