"""One data folder and several processes: they share its servers, and the last one to leave stops them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gallery.platform.embedded import DataFolderInUseError, EmbeddedServers
from tests.integration.embedded_support import CACHE, Answers, OtherProcess, processes_in, recorded, scratch_folder


@pytest.fixture
def scratch() -> Iterator[Path]:
    with scratch_folder() as folder:
        yield folder


async def test_who_comes_later_joins_in_and_the_last_to_leave_stops_the_servers(scratch: Path) -> None:
    data = scratch / "data"
    other = await OtherProcess.begin(data, CACHE)
    url = (await other.answer())["cache_url"]
    started = recorded(data)

    async with await EmbeddedServers.start(data, CACHE, exclusive=False) as servers:
        assert servers.endpoints.cache_url == url
        assert recorded(data) == started
        assert await other.leave() == 0
        async with Answers(servers.endpoints).cache() as cache:
            assert await cache.ping()
        assert [process.pid for process in processes_in(scratch)] == [*started.values()]

    assert processes_in(scratch) == []
    assert recorded(data) == {}


async def test_a_second_server_of_a_folder_is_refused_and_disturbs_nobody(scratch: Path) -> None:
    data = scratch / "data"
    async with await EmbeddedServers.start(data, CACHE, exclusive=True) as servers:
        started = recorded(data)
        second = await OtherProcess.begin(data, CACHE, exclusive=True)
        answer = await second.answer()

        assert answer["error"] == "DataFolderInUseError"
        assert str(answer["message"]).startswith(
            f"The data folder {data} is in use by another gallery server (process "
        )
        assert await second.leave() == 0
        assert recorded(data) == started
        async with Answers(servers.endpoints).cache() as cache:
            assert await cache.ping()


async def test_a_folder_is_free_again_when_its_server_has_left(scratch: Path) -> None:
    data = scratch / "data"
    first = await OtherProcess.begin(data, CACHE, exclusive=True)
    await first.answer()
    with pytest.raises(DataFolderInUseError):
        await EmbeddedServers.start(data, CACHE, exclusive=True)
    assert await first.leave() == 0

    async with (
        await EmbeddedServers.start(data, CACHE, exclusive=True) as servers,
        Answers(servers.endpoints).cache() as cache,
    ):
        assert await cache.ping()


async def test_what_a_killed_process_left_running_is_taken_over_and_stopped(scratch: Path) -> None:
    data = scratch / "data"
    killed = await OtherProcess.begin(data, CACHE, exclusive=True)
    url = (await killed.answer())["cache_url"]
    started = recorded(data)
    await killed.kill()

    async with await EmbeddedServers.start(data, CACHE, exclusive=True) as servers:
        assert servers.endpoints.cache_url == url
        assert recorded(data) == started
        async with Answers(servers.endpoints).cache() as cache:
            assert await cache.ping()

    assert processes_in(scratch) == []
