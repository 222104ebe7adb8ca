"""Commands that share a connection to Valkey: who gets which answer, and what becomes of them when it ends."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.exceptions import ConnectionError as LostError
from redis.exceptions import ResponseError

from gallery.platform.cache.patience import Patience
from gallery.platform.cache.pipelining import Commands
from gallery.platform.cache.valkey import create_client
from gallery.settings import CacheSettings


class Server:
    """Takes commands, and answers them with what each test says. `lines` are its connections, newest last."""

    def __init__(self) -> None:
        self.asked: list[list[bytes]] = []
        self.lines: list[asyncio.StreamWriter] = []
        self._has_more = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines.append(writer)
        while head := await reader.readline():
            parts = []
            for _ in range(int(head[1:])):
                length = int((await reader.readline())[1:])
                parts.append((await reader.readexactly(length + 2))[:-2])
            self.asked.append(parts)
            self._has_more.set()
        writer.close()

    async def until_asked(self, *commands: list[bytes]) -> None:
        """Waits until exactly these were asked."""
        async with asyncio.timeout(5):
            while len(self.asked) < len(commands):
                self._has_more.clear()
                await self._has_more.wait()
        assert self.asked == list(commands)

    def answer(self, content: bytes, *, line: int = -1) -> None:
        self.lines[line].write(content)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server()
    async with await asyncio.start_unix_server(server, tmp_path / "socket"):
        yield server
        for line in server.lines:
            line.close()


@pytest.fixture
async def commands(server: Server, tmp_path: Path) -> AsyncIterator[Commands]:  # noqa: ARG001  # has to be there first
    client = create_client(CacheSettings(url=SecretStr(f"unix://{tmp_path}/socket")))
    commands = Commands(client)
    yield commands
    commands.close()
    await client.aclose()


def run(commands: Commands, *parts: str) -> asyncio.Task[object]:
    return asyncio.create_task(commands.run(*parts))


async def test_nobody_waits_for_the_answers_of_others_and_each_gets_its_own(server: Server, commands: Commands) -> None:
    first, second = run(commands, "GET", "a"), run(commands, "GET", "b")

    await server.until_asked([b"GET", b"a"], [b"GET", b"b"])
    server.answer(b"$3\r\none\r\n$3\r\nt")
    assert await first == b"one"
    assert not second.done()
    server.answer(b"wo\r\n")

    assert await second == b"two"
    assert len(server.lines) == 1


async def test_an_answer_that_is_an_error_fails_its_command_alone(server: Server, commands: Commands) -> None:
    refused, right = run(commands, "GET", "list"), run(commands, "GET", "a")
    await server.until_asked([b"GET", b"list"], [b"GET", b"a"])
    server.answer(b"-WRONGTYPE no string\r\n$-1\r\n")

    with pytest.raises(ResponseError, match="WRONGTYPE no string"):
        await refused
    assert await right is None


async def test_what_a_cancelled_command_is_answered_reaches_nobody_else(server: Server, commands: Commands) -> None:
    cancelled, other = run(commands, "GET", "a"), run(commands, "GET", "b")
    await server.until_asked([b"GET", b"a"], [b"GET", b"b"])

    cancelled.cancel()
    await asyncio.wait([cancelled])
    later = run(commands, "GET", "c")
    await server.until_asked([b"GET", b"a"], [b"GET", b"b"], [b"GET", b"c"])
    server.answer(b"$3\r\none\r\n$3\r\ntwo\r\n$5\r\nthree\r\n")

    assert (await other, await later) == (b"two", b"three")
    assert len(server.lines) == 1


async def test_after_a_command_whose_time_is_up_the_next_one_takes_another_connection(
    server: Server, commands: Commands
) -> None:
    with pytest.raises(TimeoutError):
        async with Patience(0.05):
            await commands.run("GET", "a")
    await server.until_asked([b"GET", b"a"])

    again = run(commands, "GET", "a")
    await server.until_asked([b"GET", b"a"], [b"GET", b"a"])
    server.answer(b"$3\r\none\r\n")

    assert await again == b"one"
    assert len(server.lines) == 2
    async with asyncio.timeout(5):
        await server.lines[0].wait_closed()  # nobody waits for anything there


async def test_a_lost_connection_fails_all_who_wait_and_the_next_one_opens_another(
    server: Server, commands: Commands
) -> None:
    waiting = [run(commands, "GET", name) for name in "ab"]
    await server.until_asked([b"GET", b"a"], [b"GET", b"b"])
    server.lines[0].close()

    for each in waiting:
        with pytest.raises(LostError, match="was lost"):
            await each
    again = run(commands, "GET", "c")
    await server.until_asked([b"GET", b"a"], [b"GET", b"b"], [b"GET", b"c"])
    server.answer(b":7\r\n")
    assert await again == 7


@pytest.mark.parametrize("garbage", [b"nonsense\r\n", b":1\r\n:2\r\n"], ids=["no protocol", "an answer to nothing"])
async def test_a_connection_on_which_nobody_knows_whose_answer_is_whose_is_closed(
    server: Server, commands: Commands, garbage: bytes
) -> None:
    first = run(commands, "GET", "a")
    await server.until_asked([b"GET", b"a"])
    server.answer(garbage)
    await asyncio.wait([first])
    again = run(commands, "GET", "b")
    await server.until_asked([b"GET", b"a"], [b"GET", b"b"])

    server.answer(b"$3\r\ntwo\r\n")

    assert await again == b"two"
    assert len(server.lines) == 2


async def test_all_who_ask_before_there_is_a_connection_open_one(server: Server, commands: Commands) -> None:
    asked = [run(commands, "PING") for _ in range(3)]
    await server.until_asked([b"PING"], [b"PING"], [b"PING"])
    server.answer(b"+PONG\r\n" * 3)

    assert await asyncio.gather(*asked) == [b"PONG"] * 3
    assert len(server.lines) == 1


async def test_who_gives_up_an_opening_leaves_it_to_the_others(server: Server, tmp_path: Path) -> None:
    client = create_client(CacheSettings(url=SecretStr(f"unix://:secret@{tmp_path}/socket")))
    commands = Commands(client)
    impatient, other = run(commands, "PING"), run(commands, "PING")
    await server.until_asked([b"AUTH", b"secret"])  # and says nothing to that yet

    impatient.cancel()
    await asyncio.wait([impatient])
    server.answer(b"+OK\r\n")
    await server.until_asked([b"AUTH", b"secret"], [b"AUTH", b"secret"])  # as redis-py does
    server.answer(b"+OK\r\n")
    await server.until_asked([b"AUTH", b"secret"], [b"AUTH", b"secret"], [b"PING"])
    server.answer(b"+PONG\r\n")

    assert await other == b"PONG"
    commands.close()


async def test_a_left_connection_ends_with_the_last_answer_that_somebody_waits_for(
    server: Server, commands: Commands
) -> None:
    first = run(commands, "GET", "a")
    await server.until_asked([b"GET", b"a"])
    with pytest.raises(TimeoutError):
        async with Patience(0.05):
            await commands.run("GET", "b")
    await asyncio.sleep(0)
    server.answer(b"$3\r\none\r\n", line=0)

    assert await first == b"one"
    async with asyncio.timeout(5):
        await server.lines[0].wait_closed()


async def test_a_connection_that_ended_while_it_opened_fails_at_once(server: Server, commands: Commands) -> None:
    asked = run(commands, "GET", "a")
    await server.until_asked([b"GET", b"a"])
    line = commands._line
    assert line is not None
    line.close()
    with pytest.raises(LostError):
        await asked

    with pytest.raises(LostError):
        line.send(("GET", "b"))
    assert server.asked == [[b"GET", b"a"]]


async def test_without_a_server_a_command_fails_and_the_next_one_tries_again(tmp_path: Path) -> None:
    client = create_client(CacheSettings(url=SecretStr(f"unix://{tmp_path}/nobody")))
    commands = Commands(client)

    for _ in range(2):
        with pytest.raises(LostError):
            await commands.run("PING")


async def test_a_script_is_sent_whole_where_it_is_not_known(server: Server, commands: Commands) -> None:
    running = asyncio.create_task(commands.script("return ARGV[1]")(["key"], [b"argument", 1]))
    digest = b"098e0f0d1448c0a81dafe820f66d460eb09263da"
    await server.until_asked([b"EVALSHA", digest, b"1", b"key", b"argument", b"1"])
    server.answer(b"-NOSCRIPT No matching script.\r\n")
    await server.until_asked(
        [b"EVALSHA", digest, b"1", b"key", b"argument", b"1"],
        [b"EVAL", b"return ARGV[1]", b"1", b"key", b"argument", b"1"],
    )
    server.answer(b"$8\r\nargument\r\n")

    assert await running == b"argument"


async def test_a_script_that_fails_is_not_tried_again(server: Server, commands: Commands) -> None:
    running = asyncio.create_task(commands.script("return nonsense()")([], []))
    await server.until_asked([b"EVALSHA", hashlib.sha1(b"return nonsense()").hexdigest().encode(), b"0"])  # noqa: S324
    server.answer(b"-ERR attempt to call a nil value\r\n")

    with pytest.raises(ResponseError, match="nil value"):
        await running
    assert len(server.asked) == 1
