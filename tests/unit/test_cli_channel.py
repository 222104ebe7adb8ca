"""What supervising and serving processes say to each other, and what they make of the other one's end."""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
from pydantic import SecretStr

from gallery.cli.channel import Channel, Message, Topic
from gallery.cli.serving_process import Orders, Others, let_go
from gallery.domain.errors import UnavailableError
from gallery.settings import DatabaseSettings, Settings


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Channel, Channel]]:
    one, other = [await Channel.over(end) for end in socket.socketpair()]
    yield one, other
    await one.close()
    await other.close()


async def test_what_one_says_the_other_hears_in_order(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    long = "x" * 1_000_000
    one.say(Topic.READY)
    one.say(Topic.COUNTED, number=7, told=(long, "ü\n"))
    await one.close()

    heard = [message async for message in other.hear()]

    assert heard == [Message(topic=Topic.READY), Message(topic=Topic.COUNTED, number=7, told=(long, "ü\n"))]


async def test_a_word_that_was_cut_off_is_not_heard() -> None:
    ours, theirs = socket.socketpair()
    channel = await Channel.over(ours)
    theirs.sendall(b'{"topic":"ready","number":0,"told":[]}\n{"topic":"coun')
    theirs.close()

    assert [message.topic async for message in channel.hear()] == [Topic.READY]
    await channel.close()


async def test_speaking_to_one_who_has_ended_is_in_vain_and_no_error(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    await other.close()
    assert [message async for message in one.hear()] == []

    one.say(Topic.STOP)
    one.say(Topic.HANG_UP)


async def test_what_all_have_counted_is_asked_for_with_what_this_one_has(ends: tuple[Channel, Channel]) -> None:
    supervising, serving = ends
    others = Others(2, serving)
    others.join(lambda: b"[7]")

    asking = asyncio.create_task(others.counted())
    question = await anext(supervising.hear())
    others.hear(["[7]", "[8]"])

    assert question == Message(topic=Topic.COUNT_ALL, told=("[7]",))
    assert await asking == [b"[7]", b"[8]"]


async def test_one_that_counts_nothing_tells_nothing(ends: tuple[Channel, Channel]) -> None:
    supervising, serving = ends
    others = Others(1, serving)
    others.tell()
    others.join(lambda: b"[1]")
    others.tell(5)
    others.tell_unasked()
    await serving.close()

    heard = [message async for message in supervising.hear()]

    assert [message.number for message in heard] == [5, 0]
    assert {message.told for message in heard} == {("[1]",)}


async def test_one_who_does_not_listen_is_told_nothing_unasked(ends: tuple[Channel, Channel]) -> None:
    _, serving = ends
    others = Others(1, serving)
    told = 0

    def count() -> bytes:
        nonlocal told
        told += 1
        return b"x" * 600_000

    others.join(count)
    for _ in range(20):
        others.tell_unasked()

    assert serving.is_stalled
    assert 2 <= told < 20


async def test_one_who_counts_nothing_says_that_it_is_there(ends: tuple[Channel, Channel]) -> None:
    supervising, serving = ends
    Others(1, serving).tell_unasked()

    assert await anext(supervising.hear()) == Message(topic=Topic.ALIVE)


async def test_a_supervisor_that_does_not_answer_is_not_waited_for(ends: tuple[Channel, Channel]) -> None:
    others = Others(1, ends[1], patience_seconds=0.01)

    with pytest.raises(UnavailableError, match="process that supervises the others does not answer"):
        await others.counted()
    others.hear(["[]"])  # an answer that comes too late


def test_what_is_let_go_of_is_open_nowhere_any_more() -> None:
    ours, theirs = socket.socketpair()
    duplicate, another = os.dup(theirs.fileno()), os.dup(ours.fileno())
    with ours, theirs:
        let_go(theirs.fileno())

        assert ours.recv(1) == b""
        assert os.read(theirs.fileno(), 1) == b""
        assert os.path.samestat(os.fstat(theirs.fileno()), Path(os.devnull).stat())
        assert not os.get_inheritable(theirs.fileno())
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(duplicate)
        os.close(another)


def test_orders_hold_all_settings_secrets_too(tmp_path: Path) -> None:
    url = "postgresql://ada:hunter2@db.example/gallery"
    settings = Settings(data_dir=tmp_path, database=DatabaseSettings(url=SecretStr(url)))
    orders = Orders(settings=settings, number=2, channel=5, listener=6, neighbours=[7])

    read = Orders.read(BytesIO(orders.write()))

    assert read == orders
    assert read.settings.database.url is not None
    assert read.settings.database.url.get_secret_value() == url


def test_what_are_no_orders_is_refused() -> None:
    with pytest.raises(TypeError, match="no orders"):
        Orders.read(BytesIO(pickle.dumps("serve")))
