"""More clients than the gallery can serve, and clients that are slow on purpose: nobody else has to wait for them."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest

from gallery.platform.database.engine import driver_dsn
from gallery.web.graphiql.assets import ASSETS_PATH
from tests.e2e.api import Api
from tests.e2e.gallery_server import ROOT, serving
from tests.e2e.node_clients import skip_unless_ci
from tests.e2e.places import Place
from tests.e2e.waiting import eventually
from tests.scraped import sample, scraped

CLIENTS = 200
CLIENT_PATIENCE_SECONDS = 10
POOL_SIZE = 5
BUSY = {
    "GALLERY_CACHE__ENABLED": "false",
    "GALLERY_DATABASE__POOL_SIZE": str(POOL_SIZE),
    "GALLERY_WORKER__EMBEDDED": "false",
}
PAGE = "query Page($first: Int!) { images(first: $first) { nodes { id } } }"
NEW_TAG = "mutation New($name: String!) { createTag(input: {name: $name}) { tag { id } errors { code } } }"
TAGS = "{ tags(first: 100) { nodes { name } } }"


@asynccontextmanager
async def blocked(place: Place, table: str) -> AsyncIterator[None]:
    """Whoever asks for a row of the table waits meanwhile."""
    connection = await asyncpg.connect(driver_dsn(place.database_url))
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def ask(url: str, document: str, variables: Mapping[str, object]) -> httpx.Response:
    """One client with a connection of its own, which does not wait for long."""
    async with httpx.AsyncClient(timeout=CLIENT_PATIENCE_SECONDS) as client:
        return await client.post(f"{url}/graphql", json={"query": document, "variables": dict(variables)})


def code_in(answer: httpx.Response) -> str:
    code: str = answer.json()["errors"][0]["extensions"]["code"]
    return code


async def done(tasks: Sequence[asyncio.Task[httpx.Response]], number: int) -> None:
    async def are() -> bool:
        return sum(task.done() for task in tasks) >= number

    await eventually(are)


async def test_of_more_clients_than_can_be_served_each_is_answered_or_refused(place: Place, folder: Path) -> None:
    async with serving(folder / "log", settings={**place.settings, **BUSY}) as (server, api):
        async with blocked(place, "images"):
            tasks = [
                asyncio.create_task(ask(server.url, PAGE, {"first": number % 100 + 1})) for number in range(CLIENTS)
            ]
            for probe in ("/livez", "/readyz", "/livez", "/readyz"):
                assert (await api.http.get(probe)).status_code == httpx.codes.OK
            await done(tasks, CLIENTS - POOL_SIZE)
            assert (await api.http.get("/readyz")).status_code == httpx.codes.OK
        answers = await asyncio.gather(*tasks)
        after = await ask(server.url, PAGE, {"first": 1})

    assert Counter(answer.status_code for answer in answers) == {200: POOL_SIZE, 503: CLIENTS - POOL_SIZE}
    refused = [answer for answer in answers if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE]
    assert {code_in(answer) for answer in refused} == {"OVERLOADED"}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert {answer.headers["cache-control"] for answer in refused} == {"no-store"}
    assert after.status_code == httpx.codes.OK, "nothing is left of it"


async def test_a_mutation_that_was_refused_has_done_nothing(place: Place, folder: Path) -> None:
    names = [f"tag {number}" for number in range(20)]
    async with serving(folder / "log", settings={**place.settings, **BUSY}) as (server, api):
        async with blocked(place, "images"):
            holding = [asyncio.create_task(ask(server.url, PAGE, {"first": number + 1})) for number in range(POOL_SIZE)]
            await asyncio.sleep(0.5)
            answers = await asyncio.gather(*(ask(server.url, NEW_TAG, {"name": name}) for name in names))
        await asyncio.gather(*holding)
        repeated = [await ask(server.url, NEW_TAG, {"name": name}) for name in names[:3]]
        tags = (await api.post(TAGS)).json()["data"]["tags"]["nodes"]

    assert {answer.status_code for answer in answers} == {503}
    assert {code_in(answer) for answer in answers} == {"OVERLOADED"}
    assert [answer.json()["data"]["createTag"]["errors"] for answer in repeated] == [[]] * 3
    assert sorted(tag["name"] for tag in tags) == sorted(names[:3])


async def test_beyond_the_most_connections_probes_alone_are_answered(place: Place, folder: Path) -> None:
    settings = {**place.settings, "GALLERY_CONNECTIONS__MAX_CONNECTIONS": "20"}
    async with serving(folder / "log", settings=settings) as (server, _):
        host, port = server.url.removeprefix("http://").split(":")
        opened = [await asyncio.open_connection(host, int(port)) for _ in range(20)]
        async with httpx.AsyncClient(base_url=server.url) as client:
            page = await client.get("/schema.graphql")
            live = await client.get("/livez")
        for _, writer in opened:
            writer.close()

        async def answers() -> bool:
            async with httpx.AsyncClient(base_url=server.url) as client:
                return (await client.get("/schema.graphql")).status_code == httpx.codes.OK

        await eventually(answers)
        log = server.log_text()

    assert (page.status_code, code_in(page), page.headers["connection"]) == (503, "OVERLOADED", "close")
    assert live.status_code == httpx.codes.OK
    assert "a connection was refused: too_many_connections" in log


# Clients that are slow on purpose

ATTACKERS = 60
SECONDS = 6
IMPATIENT = {
    "GALLERY_CONNECTIONS__HEAD_TIMEOUT_SECONDS": "1",
    "GALLERY_CONNECTIONS__IDLE_TIMEOUT_SECONDS": "1",
    "GALLERY_CONNECTIONS__PACE_WINDOW_SECONDS": "1",
}
STATIC = ROOT / "gallery/web/graphiql/static"
LARGE_FILE = max(STATIC.iterdir(), key=lambda file: file.stat().st_size).name
"""Larger than what the kernel takes for a client that does not read."""


def slowhttptest() -> str:
    path = shutil.which("slowhttptest")
    if path is None:
        skip_unless_ci("no slowhttptest on PATH; .ci/install-tools installs it")
    return path


async def attack(*arguments: str) -> None:
    """Lets all attackers at the server for some seconds, by the tool that people try servers with."""
    process = await asyncio.create_subprocess_exec(
        slowhttptest(), *arguments, "-c", str(ATTACKERS), "-r", str(ATTACKERS), "-l", str(SECONDS), "-i", "1",
        "-v", "0", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await asyncio.wait_for(process.wait(), 10 * SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def refusals(api: Api, reason: str) -> float:
    page = scraped((await api.http.get("/metrics")).text)
    return page.get(sample("gallery_http_refused_connections_total", reason=reason), 0)


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        pytest.param(["-H"], "slow_head", id="heads"),
        pytest.param(["-B", "-s", "8192", "-f", "application/json"], "slow_body", id="bodies"),
        pytest.param(["-X", "-k", "5", "-w", "1", "-y", "512"], "slow_reader", id="answers"),
    ],
)
async def test_clients_that_are_slow_on_purpose_are_cut_off_and_others_served_meanwhile(
    place: Place, folder: Path, mode: list[str], reason: str
) -> None:
    async with serving(folder / "log", settings={**place.settings, **IMPATIENT}) as (server, api):
        path = f"{ASSETS_PATH}/{LARGE_FILE}" if reason == "slow_reader" else "/graphql"
        attacking = asyncio.create_task(attack(*mode, "-u", server.url + path))
        served = 0
        while not attacking.done():
            async with httpx.AsyncClient(timeout=CLIENT_PATIENCE_SECONDS) as bystander:
                answer = await bystander.post(server.graphql_url, json={"query": "{ tags { totalCount } }"})
            assert answer.status_code == httpx.codes.OK
            served += 1
            await asyncio.sleep(0.1)
        await attacking
        cut_off = await refusals(api, reason)
        log = server.log_text()

    assert served
    assert cut_off >= ATTACKERS / 2
    assert f"a connection was refused: {reason}" in log
    assert log.count("a connection was refused") < ATTACKERS
