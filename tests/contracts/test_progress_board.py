"""What every board must do on which the progress of uploads is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from uuid import UUID

import pytest

from gallery.domain.ids import UserId
from gallery.domain.upload_ports import ProgressBoard, UploadProgress
from gallery.platform.cache.progress import connect_progress
from gallery.platform.progress import LocalProgressBoard
from tests.fakes.progress import MemoryProgressBoard
from tests.integration.cache_support import cache_settings

OWNER, STRANGER = (UserId(UUID(int=number)) for number in (1, 2))
HOLIDAY = "upl_0190f3b2"
DONE = UploadProgress(received_bytes=300, total_bytes=300, done=True)


def received(size_bytes: int, total_bytes: int | None = 300) -> UploadProgress:
    return UploadProgress(received_bytes=size_bytes, total_bytes=total_bytes)


@pytest.fixture
def memory_board() -> ProgressBoard:
    return MemoryProgressBoard()


@pytest.fixture
async def local_board() -> ProgressBoard:
    return LocalProgressBoard()


@pytest.fixture
async def valkey_board(cache_url: str) -> AsyncIterator[ProgressBoard]:
    async with connect_progress(cache_settings(cache_url)) as board:
        yield board


@pytest.fixture(params=["memory", "local", "valkey"])
def board(request: pytest.FixtureRequest) -> ProgressBoard:
    found: ProgressBoard = request.getfixturevalue(f"{request.param}_board")
    return found


async def test_a_watcher_first_hears_the_last_report_and_then_the_next_ones_to_the_end(board: ProgressBoard) -> None:
    board.report(OWNER, HOLIDAY, received(100))
    watching = board.watch(OWNER, HOLIDAY)
    heard = [await anext(watching)]
    board.report(OWNER, HOLIDAY, received(200))
    heard.append(await anext(watching))
    board.report(OWNER, HOLIDAY, DONE)

    assert heard + [progress async for progress in watching] == [received(100), received(200), DONE]


async def test_an_upload_whose_size_nobody_knows_is_told_as_such(board: ProgressBoard) -> None:
    board.report(OWNER, HOLIDAY, received(100, None))

    assert await anext(board.watch(OWNER, HOLIDAY)) == received(100, None)


async def test_who_watches_when_all_is_over_hears_the_end_alone(board: ProgressBoard) -> None:
    board.report(OWNER, HOLIDAY, received(100))
    board.report(OWNER, HOLIDAY, DONE)

    assert [progress async for progress in board.watch(OWNER, HOLIDAY)] == [DONE]


async def test_several_watch_the_same_upload(board: ProgressBoard) -> None:
    board.report(OWNER, HOLIDAY, received(100))
    one, other = board.watch(OWNER, HOLIDAY), board.watch(OWNER, HOLIDAY)
    assert [await anext(one), await anext(other)] == [received(100), received(100)]
    board.report(OWNER, HOLIDAY, DONE)

    assert [await anext(one), await anext(other)] == [DONE, DONE]


async def test_one_who_stops_watching_leaves_the_others_alone(board: ProgressBoard) -> None:
    board.report(OWNER, HOLIDAY, received(100))
    staying, leaving = board.watch(OWNER, HOLIDAY), board.watch(OWNER, HOLIDAY)
    await anext(staying)
    async with aclosing(leaving):
        await anext(leaving)
    board.report(OWNER, HOLIDAY, DONE)

    assert [progress async for progress in staying] == [DONE]


async def test_uploads_of_other_people_and_names_are_other_uploads(board: ProgressBoard) -> None:
    board.report(STRANGER, HOLIDAY, received(1))
    board.report(OWNER, f"{HOLIDAY}:0", received(2))
    board.report(OWNER, HOLIDAY, received(3))

    assert await anext(board.watch(OWNER, HOLIDAY)) == received(3)
