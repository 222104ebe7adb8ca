"""What a connection writes together, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import cast

import pytest

from gallery.cli.joined_writes import JoinedWrites

LONG = b"x" * 5000


class WatchedTransport:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def write(self, data: bytes) -> None:
        self.told.append(data)

    def writelines(self, parts: Iterable[bytes]) -> None:
        self.told.append(list(parts))

    def close(self) -> None:
        self.told.append("closed")

    def set_protocol(self, _protocol: asyncio.BaseProtocol) -> None:
        self.told.append("handed on")

    def is_closing(self) -> bool:
        return "closed" in self.told


@pytest.fixture
async def within() -> WatchedTransport:
    return WatchedTransport()


@pytest.fixture
async def joined(within: WatchedTransport) -> JoinedWrites:
    return JoinedWrites(cast("asyncio.Transport", within))


async def test_head_and_body_go_out_together(joined: JoinedWrites, within: WatchedTransport) -> None:
    joined.write(b"head")
    assert within.told == []
    joined.write(b"body")
    assert within.told == [[b"head", b"body"]]
    await asyncio.sleep(0)
    assert within.told == [[b"head", b"body"]]


async def test_head_of_a_stream_does_not_wait_for_its_first_event(
    joined: JoinedWrites, within: WatchedTransport
) -> None:
    joined.write(b"head")
    await asyncio.sleep(0)
    assert within.told == [b"head"]
    joined.write(b"event")
    await asyncio.sleep(0)
    assert within.told == [b"head", b"event"]


async def test_what_is_long_goes_out_at_once(joined: JoinedWrites, within: WatchedTransport) -> None:
    joined.write(LONG)
    assert within.told == [LONG]
    joined.write(b"head")
    joined.write(LONG)
    assert within.told == [LONG, [b"head", LONG]]


async def test_what_waits_is_written_before_the_end(joined: JoinedWrites, within: WatchedTransport) -> None:
    joined.write(b"refused")
    joined.close()
    assert within.told == [b"refused", "closed"]
    assert joined.is_closing()


async def test_another_protocol_finds_nothing_waiting(joined: JoinedWrites, within: WatchedTransport) -> None:
    joined.write(b"switching")
    joined.set_protocol(asyncio.Protocol())
    assert within.told == [b"switching", "handed on"]
