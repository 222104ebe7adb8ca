"""What operations cost, over HTTP and WebSockets, in two galleries that share PostgreSQL and Valkey."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from gallery.container import open_container
from gallery.platform.cache.budgets import GIVING_SECONDS
from gallery.platform.database.engine import driver_dsn
from gallery.settings import CacheSettings, DatabaseSettings, Settings, StorageSettings
from gallery.settings_auth import AuthMode, AuthSettings
from gallery.settings_graphql import GraphQLSettings
from gallery.settings_limits import Throttling
from tests.e2e.places import Place, fresh_place
from tests.fault_proxy import FaultProxy
from tests.integration.live_gallery import LiveGallery, live_gallery
from tests.services import Services

PAGE = "query Q($first: Int!) { images(first: $first) { nodes { id } } }"
MEDIA_TYPE = "application/graphql-response+json"
REFILL = 0.001
"""Nothing that counts comes back while a test runs."""


@pytest.fixture(scope="module")
async def place(services: Services, migrated_template: str) -> AsyncIterator[Place]:
    async with fresh_place(services, migrated_template, cache_database=3) as place:
        yield place


@pytest.fixture(autouse=True)
async def empty_buckets(place: Place) -> None:
    async with Redis.from_url(place.cache_url) as valkey:
        await valkey.flushdb()


@asynccontextmanager
async def throttled(place: Place, **changes: object) -> AsyncIterator[LiveGallery]:
    """A gallery in which everybody, which is the administrator, has a bucket of 100 points."""
    settings = {"throttling": "on", "max_cost": 101, "cost_bucket": 101, "cost_refill_per_second": REFILL, **changes}
    async with live_gallery(place, graphql=GraphQLSettings.model_validate(settings)) as gallery:
        yield gallery


async def ask(
    gallery: LiveGallery, document: str, variables: Mapping[str, Any] | None = None, **headers: str
) -> httpx.Response:
    """Sends an operation, with another comment each time: nothing that is kept by its bytes answers it."""
    fields = {"Accept": MEDIA_TYPE, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await gallery.api.http.post(
        "/graphql", json={"query": document, "variables": variables or {}}, headers=fields
    )


def extensions_of(response: httpx.Response) -> dict[str, Any]:
    (error,) = response.json()["errors"]
    found: dict[str, Any] = error["extensions"]
    return found


async def test_what_costs_too_much_is_refused_before_it_is_executed(place: Place) -> None:
    async with throttled(place, max_cost=20) as gallery:
        refused = await ask(gallery, PAGE, {"first": 20})
        taken = await ask(gallery, PAGE, {"first": 19})

    assert refused.status_code == 400
    assert {**extensions_of(refused), "requestId": ""} == {
        "code": "COST_LIMIT_EXCEEDED",
        "requestId": "",
        "requested": 21,
        "maximum": 20,
    }
    assert "data" not in refused.json()
    assert taken.json() == {"data": {"images": {"nodes": []}}}


async def test_the_price_is_a_limit_where_nobody_is_throttled_too(place: Place) -> None:
    async with live_gallery(place, graphql=GraphQLSettings(max_cost=20)) as gallery:
        assert extensions_of(await ask(gallery, PAGE, {"first": 20}))["code"] == "COST_LIMIT_EXCEEDED"


async def test_variables_over_a_limit_are_refused(place: Place) -> None:
    async with throttled(place, max_list_items=3) as gallery:
        refused = await ask(gallery, "query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["a"] * 4})

    assert refused.status_code == 400
    assert extensions_of(refused)["code"] == "VARIABLES_TOO_COMPLEX"


async def test_who_asks_for_too_much_waits_and_two_processes_know(place: Place) -> None:
    mutation = "mutation M($name: String!) { createTag(input: {name: $name}) { tag { id } } }"
    async with throttled(place) as one, throttled(place) as other:
        answers = [await ask(one if n % 2 else other, mutation, {"name": f"t{n}"}) for n in range(9)]

        *taken, last = answers
        assert [answer.json()["data"]["createTag"]["tag"] is not None for answer in taken] == [True] * 8
        for gallery in (one, other):
            refused = await ask(gallery, mutation, {"name": "never"})
            assert refused.status_code == last.status_code == 429
            told = extensions_of(refused)
            assert told["code"] == "THROTTLED"
            assert told["retryAfterSeconds"] == int(refused.headers["retry-after"]) > 1_000
        assert (await one.place.count("tags")) == [8]


async def test_what_was_not_needed_is_given_back(place: Place) -> None:
    async with throttled(place) as gallery:
        for first in range(100, 90, -1):
            assert (await ask(gallery, PAGE, {"first": first})).status_code == 200
            await asyncio.sleep(2 * GIVING_SECONDS)


async def test_answers_that_are_kept_are_free(place: Place) -> None:
    async with throttled(place) as gallery:
        answers = [await ask(gallery, PAGE, {"first": 50}) for _ in range(250)]

    assert {answer.status_code for answer in answers} == {200}


async def test_scalars_are_free_and_answered_when_the_bucket_is_empty(place: Place) -> None:
    async with throttled(place, max_cost=1, cost_bucket=1) as gallery:
        stats = "{{ {}: stats {{ imageCount }} }}"
        codes = [(await ask(gallery, stats.format(name))).status_code for name in ("a", "b")]
        probe = await ask(gallery, "{ __typename }")

    assert codes == [200, 429]
    assert probe.json() == {"data": {"__typename": "Query"}}


async def test_who_wants_to_know_is_told_what_it_has_cost_and_no_other(place: Place) -> None:
    async with throttled(place) as gallery:
        first = await ask(gallery, PAGE, {"first": 20})
        await asyncio.sleep(2 * GIVING_SECONDS)
        told = [await ask(gallery, PAGE, {"first": 20}, GraphQL_Cost="1") for _ in range(2)]
        again = await ask(gallery, PAGE, {"first": 20})

    cost = told[0].json()["extensions"]["cost"]
    assert cost == {
        "requested": 21,
        "actual": 1,
        "maximumAvailable": 101,
        "currentlyAvailable": cost["currentlyAvailable"],
        "restoreRate": REFILL,
    }
    assert 95 <= cost["currentlyAvailable"] <= 100
    assert told[1].json()["extensions"]["cost"]["currentlyAvailable"] < 100
    assert "extensions" not in first.json()
    assert again.content == first.content


async def test_without_a_bucket_the_price_is_told_alone(place: Place) -> None:
    async with live_gallery(place) as gallery:
        told = await ask(gallery, PAGE, {"first": 20}, GraphQL_Cost="1")

    assert told.json()["extensions"] == {"cost": {"requested": 21, "actual": 1}}


async def test_where_nobody_says_who_they_are_nobody_is_throttled(place: Place) -> None:
    async with live_gallery(place, graphql=GraphQLSettings(max_cost=30, cost_bucket=30)) as gallery:
        documents = [f"query Q{number} {{ images {{ nodes {{ id }} }} }}" for number in range(20)]
        assert [(await ask(gallery, document)).status_code for document in documents] == [200] * 20


@pytest.mark.parametrize(
    ("mode", "throttling", "is_on"),
    [
        (AuthMode.LOCAL, Throttling.AUTO, False),
        (AuthMode.OPEN, Throttling.AUTO, False),
        (AuthMode.TOKEN, Throttling.AUTO, True),
        (AuthMode.TOKEN, Throttling.OFF, False),
        (AuthMode.LOCAL, Throttling.ON, True),
    ],
)
async def test_buckets_are_for_those_who_say_who_they_are(
    place: Place, mode: AuthMode, throttling: Throttling, *, is_on: bool
) -> None:
    for is_cached in (True, False):
        settings = Settings(
            auth=AuthSettings(mode=mode),
            graphql=GraphQLSettings(throttling=throttling),
            database=DatabaseSettings(url=SecretStr(place.database_url)),
            cache=CacheSettings(url=SecretStr(place.cache_url), enabled=is_cached),
            storage=StorageSettings(bucket="nobody-asks"),
        )
        async with open_container(settings) as container:
            assert (container.budget is not None) is is_on


async def test_without_valkey_each_process_counts_by_itself_and_nothing_fails(place: Place) -> None:
    stats = "{{ {}: stats {{ imageCount }} }}"
    async with FaultProxy.to(place.cache_url) as proxy:
        behind = replace(place, cache_url=proxy.url_of(place.cache_url))
        async with throttled(behind, max_cost=2, cost_bucket=2) as gallery:
            assert (await ask(gallery, stats.format("a"))).status_code == 200
            await proxy.refuse()
            codes = [(await ask(gallery, stats.format(name))).status_code for name in ("b", "c", "d")]

    assert codes == [200, 200, 429]


async def test_over_a_websocket_the_same_counts(place: Place) -> None:
    async with throttled(place, max_cost=21, cost_bucket=25) as gallery:
        address = gallery.url.replace("http://", "ws://") + "/graphql"
        async with connect(address, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
            await socket.send(json.dumps({"type": "connection_init"}))
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            heard = []
            for id_, document in (
                ("1", "{ images(first: 21) { nodes { id } } }"),
                ("2", "subscription { imageProcessed { id } }"),
                ("3", "{ images(first: 20) { nodes { id } } }"),
            ):
                payload = {"query": document}
                await socket.send(json.dumps({"type": "subscribe", "id": id_, "payload": payload}))
                if id_ != "2":
                    heard.append(json.loads(await socket.recv()))
                else:
                    await asyncio.sleep(0.3)  # nothing is told of it

    assert [message["type"] for message in heard] == ["error", "error"]
    codes = [message["payload"][0]["extensions"]["code"] for message in heard]
    assert codes == ["COST_LIMIT_EXCEEDED", "THROTTLED"]
    assert heard[1]["payload"][0]["extensions"]["retryAfterSeconds"] > 1


# The deadline


@asynccontextmanager
async def locked(place: Place, table: str) -> AsyncIterator[asyncpg.Connection]:
    """Keeps everybody from a table: what reads it waits as long as this lasts. Gives a connection to look on."""
    holding = await asyncpg.connect(driver_dsn(place.database_url))
    looking = await asyncpg.connect(driver_dsn(place.database_url))
    transaction = holding.transaction()
    await transaction.start()
    await holding.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    try:
        yield looking
    finally:
        await transaction.rollback()
        await holding.close()
        await looking.close()


async def waiting(connection: asyncpg.Connection) -> int:
    """How many statements of this database wait for a lock."""
    found: int = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return found


@pytest.mark.parametrize("document", ["{ images { nodes { id } } }", "{ stats { imageCount } }", PAGE])
async def test_a_query_that_takes_too_long_is_cancelled_down_to_its_statement(place: Place, document: str) -> None:
    async with throttled(place, deadline_seconds=1) as gallery, locked(place, "images") as connection:
        asking = asyncio.ensure_future(ask(gallery, document, {"first": 7} if "$first" in document else {}))
        await eventually_in_database(connection, 1)
        answer = await asking

        assert answer.status_code == 504
        assert extensions_of(answer)["code"] == "DEADLINE_EXCEEDED"
        await eventually_in_database(connection, 0)


async def test_a_query_over_a_websocket_has_the_same_deadline(place: Place) -> None:
    async with throttled(place, deadline_seconds=1) as gallery, locked(place, "images") as connection:
        address = gallery.url.replace("http://", "ws://") + "/graphql"
        async with connect(address, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
            await socket.send(json.dumps({"type": "connection_init"}))
            await socket.recv()
            payload = {"query": "{ images(first: 3) { nodes { title } } }"}
            await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
            await eventually_in_database(connection, 1)
            message = json.loads(await socket.recv())
        await eventually_in_database(connection, 0)

    assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "DEADLINE_EXCEEDED")


async def test_a_mutation_that_has_begun_is_finished_and_answered(place: Place) -> None:
    async with throttled(place, deadline_seconds=0.2) as gallery:
        async with locked(place, "tags") as connection:
            mutation = 'mutation { createTag(input: {name: "late"}) { tag { name } errors { code } } }'
            changing = asyncio.ensure_future(ask(gallery, mutation))
            await eventually_in_database(connection, 1)
            await asyncio.sleep(0.5)
            assert not changing.done()
        answer = await changing

    assert answer.json() == {"data": {"createTag": {"tag": {"name": "late"}, "errors": []}}}


async def eventually_in_database(connection: asyncpg.Connection, count: int) -> None:
    async with asyncio.timeout(10):
        while await waiting(connection) != count:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.02)
