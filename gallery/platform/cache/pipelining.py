"""Commands to Valkey on one connection, each sent at once: nobody waits for the answers of others.

The client of redis-py takes a connection from its pool for each command, sends, waits and puts it back, which costs
several times the processor time of that. It still opens the connections, and so knows all addresses and passwords.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, cast

import hiredis
from redis.asyncio import Connection, Redis
from redis.exceptions import ConnectionError as LostError
from redis.exceptions import ResponseError

Part = str | int | float | bytes | memoryview

_NOTHING: Final = object()


class Commands:
    """Sends commands in the order of their calls, on a connection that is opened with the first.

    A call that is cancelled, as it is when its time is up, leaves the connection: it may be dead without saying so.
    The next one opens another, while those that wait for the first still may get their answers.
    """

    def __init__(self, client: Redis) -> None:
        self._pool = client.connection_pool
        self._line: _Line | None = None
        self._opening: asyncio.Task[_Line] | None = None

    async def run(self, *parts: Part) -> Any:  # noqa: ANN401  # whatever Valkey answers, for callers to look at
        """The answer to a command.

        Raises:
            RedisError: if Valkey refuses it, or the connection is lost.
            OSError: if there is none to be had.
        """
        line = self._line
        if line is None or line.is_closed:
            line = await self._opened()
        answer = line.send(parts)
        try:
            found = await answer
        except asyncio.CancelledError:
            self._leave(line)
            raise
        if isinstance(found, hiredis.ReplyError):
            raise ResponseError(str(found))
        return found

    def script(self, text: str) -> Script:
        """A script that Valkey keeps."""
        return Script(self, text)

    def close(self) -> None:
        """Gives the connection up. A command after that opens another one."""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._line is not None:
            self._line.close()
            self._line = None

    async def _opened(self) -> _Line:
        """The connection of all who ask now."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        opening = self._opening
        try:
            await asyncio.wait({opening})
        except asyncio.CancelledError:
            if self._opening is opening:
                self._opening = None
            opening.cancel()  # takes too long: who else waits is told so
            raise
        if self._opening is opening:
            self._opening = None
        if opening.cancelled():
            message = "Valkey took too long to connect"
            raise LostError(message)
        return opening.result()

    async def _open(self) -> _Line:
        connection: Connection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # has no types
        await connection.connect()  # type: ignore[no-untyped-call]  # as above
        line = self._line = _Line(connection)
        return line

    def _leave(self, line: _Line) -> None:
        if self._line is line:
            self._line = None
        line.end_unless_wanted()


class Script:
    """A script, called by its digest: Valkey has it, unless it was started anew."""

    def __init__(self, commands: Commands, text: str) -> None:
        self._commands = commands
        self._text = text
        self._digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()  # as EVALSHA names scripts

    async def __call__(self, keys: Sequence[Part], arguments: Sequence[Part]) -> Any:  # noqa: ANN401  # as `run`
        """What the script answers.

        Raises:
            RedisError, OSError: as `Commands.run`.
        """
        try:
            return await self._commands.run("EVALSHA", self._digest, len(keys), *keys, *arguments)
        except ResponseError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            return await self._commands.run("EVAL", self._text, len(keys), *keys, *arguments)


class _Line(asyncio.Protocol):
    """An open connection, and who waits for the answers that are to come, in their order."""

    def __init__(self, connection: Connection) -> None:
        """Takes the transport of a connection over, which nothing is under way on."""
        self._connection = connection
        writer = connection._writer  # noqa: SLF001  # has no public name
        assert writer is not None  # noqa: S101  # it is connected
        self._transport = cast("asyncio.Transport", writer.transport)
        self._transport.set_protocol(self)
        self._answers = hiredis.Reader(notEnoughData=_NOTHING)
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self.is_closed = self._transport.is_closing()

    def send(self, parts: Sequence[Part]) -> asyncio.Future[Any]:
        """What will be the answer."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._transport.write(
            hiredis.pack_command(tuple(parts))  # type: ignore[arg-type]  # says one part, takes any number
        )
        self._waiting.append(answer)
        return answer

    def end_unless_wanted(self) -> None:
        """Closes the connection if nobody waits for an answer any more, now or later."""
        if all(answer.done() for answer in self._waiting):
            self.close()
        else:
            self._waiting[-1].add_done_callback(lambda _answer: self.end_unless_wanted())

    def close(self) -> None:
        """Closes the connection; who waits is told so."""
        self._transport.abort()
        self._lost(None)

    def data_received(self, data: bytes) -> None:
        """Hands answers to those who wait for them."""
        answers, waiting = self._answers, self._waiting
        try:
            answers.feed(data)
            while (found := answers.gets()) is not _NOTHING:
                answer = waiting.popleft()
                if not answer.done():  # else it was cancelled
                    answer.set_result(found)
        except (hiredis.HiredisError, IndexError) as error:  # no protocol, or an answer to nothing
            self._transport.abort()
            self._lost(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells those who wait."""
        self._lost(exc)

    def _lost(self, reason: Exception | None) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._connection._reader = self._connection._writer = None  # noqa: SLF001  # else it would close it again
        while self._waiting:
            answer = self._waiting.popleft()
            if not answer.done():
                error = LostError("The connection to Valkey was lost")
                error.__cause__ = reason
                answer.set_exception(error)
