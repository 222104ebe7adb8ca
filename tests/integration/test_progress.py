"""How uploads go on, told between processes by a real Valkey, and without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import orjson
import pytest
from redis.asyncio import Redis

from gallery.domain.ids import UserId
from gallery.domain.upload_ports import UploadProgress
from gallery.platform.cache.progress import connect_progress
from gallery.platform.progress import INTERVAL_SECONDS, LocalProgressBoard, News
from gallery.settings import CacheSettings
from tests.integration.cache_support import ValkeyProcess, cache_settings, eventually

OWNER = UserId(UUID(int=1))
HOLIDAY = "upl_0190f3b2"
KEY = f"gallery:progress@0:{OWNER.hex}:{HOLIDAY}"
DONE = UploadProgress(received_bytes=300, total_bytes=300, done=True)


def received(size_bytes: int) -> UploadProgress:
    return UploadProgress(received_bytes=size_bytes, total_bytes=300)


@pytest.fixture
async def valkey() -> AsyncIterator[ValkeyProcess]:
    with TemporaryDirectory(prefix="gallery-test-", ignore_cleanup_errors=True) as folder:
        valkey = ValkeyProcess(Path(folder))
        await valkey.start()
        yield valkey
        await valkey.kill()


async def test_what_one_process_reports_is_heard_in_another(cache_url: str) -> None:
    settings = cache_settings(cache_url)
    async with connect_progress(settings) as here, connect_progress(settings) as there:
        watching = there.watch(OWNER, HOLIDAY)
        first = asyncio.ensure_future(anext(watching))
        await asyncio.sleep(0)
        here.report(OWNER, HOLIDAY, received(100))
        heard = [await first]
        here.report(OWNER, HOLIDAY, received(200))
        heard.append(await anext(watching))
        here.report(OWNER, HOLIDAY, DONE)

        assert heard + [progress async for progress in watching] == [received(100), received(200), DONE]


async def test_a_board_that_ends_sends_what_it_holds_back_and_never_connects_again(valkey: ValkeyProcess) -> None:
    async with Redis.from_url(valkey.url) as client:
        async with connect_progress(cache_settings(valkey.url)) as board:
            board.report(OWNER, HOLIDAY, received(100))
            board.report(OWNER, HOLIDAY, received(200))
        last_word = await client.get(KEY)
        board.report(OWNER, HOLIDAY, DONE)
        await asyncio.sleep(2 * INTERVAL_SECONDS)

        assert last_word is not None
        assert orjson.loads(last_word)[1:] == [200, 300, False]
        assert await client.get(KEY) == last_word
        assert len(await client.client_list()) == 1


async def test_the_last_word_waits_in_valkey_for_those_who_come_later_and_then_goes(cache_url: str) -> None:
    settings = cache_settings(cache_url)
    async with connect_progress(settings) as here:
        here.report(OWNER, HOLIDAY, DONE)
    async with connect_progress(settings) as later, Redis.from_url(cache_url) as client:
        assert [progress async for progress in later.watch(OWNER, HOLIDAY)] == [DONE]
        assert 0 < await client.ttl(KEY) <= 300


async def test_a_valkey_that_was_killed_takes_nothing_from_the_process_itself_and_is_heard_again_when_it_is_back(
    valkey: ValkeyProcess,
) -> None:
    settings = cache_settings(valkey.url)
    async with connect_progress(settings) as here, connect_progress(settings) as there:
        at_home, abroad = here.watch(OWNER, HOLIDAY), there.watch(OWNER, HOLIDAY)
        here.report(OWNER, HOLIDAY, received(1))
        assert [await anext(at_home), await anext(abroad)] == [received(1), received(1)]

        await valkey.kill()
        here.report(OWNER, HOLIDAY, received(2))
        assert await anext(at_home) == received(2)

        await valkey.start()
        here.report(OWNER, HOLIDAY, DONE)
        assert [await anext(at_home), await anext(abroad)] == [DONE, DONE]


async def test_a_valkey_that_never_was_there_hinders_no_upload() -> None:
    async with connect_progress(cache_settings("redis://127.0.0.1:1")) as board:
        board.report(OWNER, HOLIDAY, DONE)

        assert [progress async for progress in board.watch(OWNER, HOLIDAY)] == [DONE]


async def test_without_a_cache_progress_is_told_in_the_process_alone() -> None:
    async with connect_progress(CacheSettings(enabled=False)) as board:
        assert isinstance(board, LocalProgressBoard)


async def test_rubbish_in_valkey_is_passed_over(cache_url: str) -> None:
    async with connect_progress(cache_settings(cache_url)) as board, Redis.from_url(cache_url) as client:
        await client.set(KEY, b"[1, 2]")
        watching = board.watch(OWNER, HOLIDAY)
        first = asyncio.ensure_future(anext(watching))
        while await client.publish(KEY, b"not even JSON") == 0:  # noqa: ASYNC110  # until somebody hears it
            await asyncio.sleep(0.01)
        await client.publish(KEY, b"[1, 300, 300, true]")

        assert await first == DONE


async def test_nobody_listens_to_valkey_when_nobody_watches(cache_url: str) -> None:
    async with connect_progress(cache_settings(cache_url)) as board, Redis.from_url(cache_url) as client:
        board.report(OWNER, HOLIDAY, received(1))
        watching = board.watch(OWNER, HOLIDAY)
        await anext(watching)
        while await client.pubsub_numpat() == 0:  # noqa: ASYNC110  # until it listens
            await asyncio.sleep(0.01)
        await watching.aclose()
        async with asyncio.timeout(20):
            while await client.pubsub_numpat() > 0:  # noqa: ASYNC110  # until it does not any more
                await asyncio.sleep(0.01)


async def test_many_reports_are_told_as_few_and_the_last_of_them_is_among_those() -> None:
    told: list[UploadProgress] = []
    board = LocalProgressBoard(on_report=lambda _, news: told.append(news.progress), interval_seconds=0.01)
    for size_bytes in range(1000):
        board.report(OWNER, HOLIDAY, received(size_bytes))
    await eventually(lambda: len(told) > 1)

    assert told == [received(0), received(999)]


async def test_the_end_is_told_at_once() -> None:
    told: list[UploadProgress] = []
    board = LocalProgressBoard(on_report=lambda _, news: told.append(news.progress), interval_seconds=3600)
    board.report(OWNER, HOLIDAY, received(1))
    board.report(OWNER, HOLIDAY, received(2))
    board.report(OWNER, HOLIDAY, DONE)

    assert told == [received(1), DONE]


async def test_old_news_that_come_late_are_not_told() -> None:
    board = LocalProgressBoard()
    board.report(OWNER, HOLIDAY, received(200))
    board.hear((OWNER, HOLIDAY), News(1, received(100)))

    assert await anext(board.watch(OWNER, HOLIDAY)) == received(200)


async def test_a_story_of_which_nothing_is_heard_any_more_ends() -> None:
    board = LocalProgressBoard(lifetime_seconds=0.01)

    assert [progress async for progress in board.watch(OWNER, HOLIDAY)] == []


async def test_old_stories_are_forgotten() -> None:
    board = LocalProgressBoard(lifetime_seconds=0.01)
    board.hear((OWNER, HOLIDAY), News(1, received(1)))
    board.report(OWNER, "another", received(2))

    assert [progress async for progress in board.watch(OWNER, HOLIDAY)] == []
