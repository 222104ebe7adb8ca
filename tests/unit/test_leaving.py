"""A query is cancelled if its client goes away, and only then."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message

from gallery.settings import UploadSettings
from gallery.web.body import ClientDisconnectedError, RequestBody
from gallery.web.graphql.deadline import DeadlineExceededError
from gallery.web.graphql.leaving import WhileSomebodyWaits

LONG_SECONDS = 60


class Client:
    """Has sent its whole request, and goes away when it is told to."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.is_watched = asyncio.Event()
        self._has_sent = False

    async def body(self) -> RequestBody:
        body = RequestBody({"type": "http", "headers": []}, self._receive, UploadSettings())
        await body.read_all(1024)
        return body

    async def _receive(self) -> Message:
        if not self._has_sent:
            self._has_sent = True
            return {"type": "http.request", "body": b"{}", "more_body": False}
        self.is_watched.set()
        await self.left.wait()
        return {"type": "http.disconnect"}


@pytest.fixture
async def client() -> Client:
    return Client()


async def test_what_takes_longer_than_a_moment_is_cancelled_when_the_client_goes_away(client: Client) -> None:
    ended = []

    async def query() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def ask() -> None:
        async with WhileSomebodyWaits(await client.body(), moment_seconds=0):
            await query()

    asking = asyncio.create_task(ask())
    await client.is_watched.wait()
    client.left.set()
    with pytest.raises(ClientDisconnectedError):
        await asking
    assert ended == ["cancelled"]
    assert asking.cancelling() == 0


async def test_what_is_over_in_a_moment_is_not_watched(client: Client) -> None:
    async with WhileSomebodyWaits(await client.body(), moment_seconds=LONG_SECONDS):
        await asyncio.sleep(0)
    assert not client.is_watched.is_set()


async def test_watching_ends_with_the_query(client: Client) -> None:
    before = asyncio.all_tasks()
    async with WhileSomebodyWaits(await client.body(), moment_seconds=0):
        await client.is_watched.wait()
    assert asyncio.all_tasks() == before


async def test_a_query_that_is_ended_by_somebody_else_stays_cancelled(client: Client) -> None:
    async def ask() -> None:
        async with WhileSomebodyWaits(await client.body(), moment_seconds=0):
            await asyncio.Event().wait()

    asking = asyncio.create_task(ask())
    await client.is_watched.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_failure_of_the_query_is_told_as_it_is(client: Client) -> None:
    async def ask() -> None:
        async with WhileSomebodyWaits(await client.body(), moment_seconds=0):
            await client.is_watched.wait()
            message = "as it is"
            raise ValueError(message)

    with pytest.raises(ValueError, match="as it is"):
        await ask()


async def test_who_looks_finds_at_once_that_the_client_has_gone(client: Client) -> None:
    client.left.set()
    reached = []

    async def look() -> None:
        presence = WhileSomebodyWaits(await client.body(), moment_seconds=LONG_SECONDS)
        async with presence:
            reached.append("within")
            await presence.look()
            reached.append("behind")

    with pytest.raises(ClientDisconnectedError):
        await look()
    assert reached == ["within"]


async def test_who_looks_goes_on_while_the_client_is_there(client: Client) -> None:
    before = asyncio.all_tasks()
    presence = WhileSomebodyWaits(await client.body(), moment_seconds=LONG_SECONDS)
    async with presence:
        await presence.look()
        await presence.look()
    assert client.is_watched.is_set()
    assert asyncio.all_tasks() == before


async def test_what_takes_longer_than_it_may_is_cancelled_though_the_client_waits(client: Client) -> None:
    ended = []

    async def ask() -> None:
        async with WhileSomebodyWaits(await client.body(), moment_seconds=0, deadline_seconds=0.01):
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cancelled")

    asking = asyncio.create_task(ask())
    with pytest.raises(DeadlineExceededError):
        await asking
    assert ended == ["cancelled"]
    assert asking.cancelling() == 0


async def test_what_ends_in_time_knows_nothing_of_the_deadline(client: Client) -> None:
    async with WhileSomebodyWaits(await client.body(), moment_seconds=0, deadline_seconds=0.01):
        await client.is_watched.wait()
    await asyncio.sleep(0.03)  # nobody is cancelled


async def test_who_leaves_and_is_late_has_left(client: Client) -> None:
    async def ask() -> None:
        async with WhileSomebodyWaits(await client.body(), moment_seconds=0, deadline_seconds=0.01):
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.03)  # as something that takes its time to stop

    asking = asyncio.create_task(ask())
    await client.is_watched.wait()
    client.left.set()
    with pytest.raises(ClientDisconnectedError):
        await asking
    assert asking.cancelling() == 0
