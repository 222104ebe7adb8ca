"""Commands to Valkey on one connection, each sent at once: nobody waits for the answers of others.

The client of redis-py takes a connection from its pool for each command, sends, waits and puts it back, which costs
several times the processor time of that. It still opens the connections, and so knows all addresses and passwords.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import hiredis
from redis.asyncio import Connection, Redis
from redis.exceptions import ConnectionError as LostError
from redis.exceptions import ResponseError

from gallery.platform.cache.patience import Patience, is_time_up

Part = str | int | float | bytes | memoryview

_OPENING_SECONDS: Final = 1.0
"""How long a connection may take to open, greeting and all."""
_NOTHING: Final = object()


class Commands:
    """Sends commands in the order of their calls, on a connection that is opened with the first.

    A call whose time is up, as `Patience` tells, leaves the connection: it may be dead without saying so. The next one
    opens another, while those that wait for the first still may get their answers. A call that is cancelled otherwise
    leaves it to the others; its answer is thrown away.
    """

    def __init__(self, client: Redis) -> None:
        self._pool = client.connection_pool
        self._line: _Line | None = None
        self._opening: _Opening | None = None

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
            if is_time_up():
                self._leave(line)
            line.end_if_left()
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
            self._opening.task.cancel()
            self._opening = None
        if self._line is not None:
            self._line.close()
            self._line = None

    async def _opened(self) -> _Line:
        """The connection of all who ask now."""
        opening = self._opening
        if opening is None or opening.task.done():
            opening = self._opening = _Opening(asyncio.create_task(self._open()))
            opening.task.add_done_callback(_heard)
        opening.waiting += 1
        try:
            await asyncio.wait({opening.task})
        finally:
            opening.waiting -= 1
            if not opening.waiting:
                opening.task.cancel()  # unless it is done
                if self._opening is opening:
                    self._opening = None
        if opening.task.cancelled():
            message = "The connection to Valkey was given up"
            raise LostError(message)
        return opening.task.result()

    async def _open(self) -> _Line:
        connection: Connection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # has no types
        try:
            async with Patience(_OPENING_SECONDS):
                await connection.connect()  # type: ignore[no-untyped-call]  # as above
        except BaseException as error:
            if connection._writer is not None:  # noqa: SLF001  # half open; has no public name
                connection._writer.transport.abort()  # noqa: SLF001
            if isinstance(error, TimeoutError):
                message = "Valkey took too long to connect"
                raise LostError(message) from error
            raise
        line = self._line = _Line(connection)
        return line

    def _leave(self, line: _Line) -> None:
        if self._line is line:
            self._line = None
        line.is_left = True


@dataclass
class _Opening:
    """A connection that is being opened, and how many wait for it: it is given up with the last of them."""

    task: asyncio.Task[_Line]
    waiting: int = 0


def _heard(opening: asyncio.Task[_Line]) -> None:
    """Looks at what became of it: asyncio complains of failures that nobody has looked at, as when all are gone."""
    if not opening.cancelled():
        opening.exception()


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
        self.is_closed = False
        self.is_left = False
        """Whether nobody sends anything more, and it ends with the last answer that somebody waits for."""
        reader = connection._reader  # noqa: SLF001  # as above
        if self._transport.is_closing() or reader is None or reader._eof:  # type: ignore[attr-defined]  # noqa: SLF001
            self.close()  # nothing will tell of its end any more

    def send(self, parts: Sequence[Part]) -> asyncio.Future[Any]:
        """What will be the answer.

        Raises:
            RedisError: if the connection is closed.
        """
        if self.is_closed:
            raise _lost_error()
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._transport.write(
            hiredis.pack_command(tuple(parts))  # type: ignore[arg-type]  # says one part, takes any number
        )
        self._waiting.append(answer)
        return answer

    def end_if_left(self) -> None:
        """Closes the connection if it is left and nobody waits for an answer any more."""
        if self.is_left and all(answer.done() for answer in self._waiting):
            self.close()

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
        self.end_if_left()

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
                error = _lost_error()
                error.__cause__ = reason
                answer.set_exception(error)


def _lost_error() -> LostError:
    return LostError("The connection to Valkey was lost")
