"""Requests that are answered before they are parsed, and those that are passed on just as they came."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterable

import pytest
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from gallery.domain.access import Viewer
from gallery.domain.accounts import RefusedCredentialError
from gallery.domain.errors import UnavailableError
from gallery.domain.metrics import NO_METRICS
from gallery.domain.response_ports import KeptResponse, Make
from gallery.web.again import MISSED, OFFER, Ready, Repeats
from gallery.web.authentication import OPEN, Authentication
from gallery.web.body import ClientDisconnectedError, RequestBody, RequestStalledError
from gallery.web.compression import Codings
from gallery.web.graphql.kept import ResponseKeeper, asked_of
from gallery.web.graphql.quick import QuickAnswers
from tests.entities import ADA, BOB
from tests.graphql_server import LIMITS

KEY = b"key"
SERVICE, REASON = "database", "The token is not known."
BODY = b'{"query": "{ images { nodes { id } } }"}'
KEPT = KeptResponse(body=b'{"data":"kept"}', digest="0123")


class MemoryResponses:
    """A cache that has one answer, once somebody has asked for it: in this process, or farther away."""

    def __init__(self) -> None:
        self.near: KeptResponse | None = KEPT
        self.far: KeptResponse | None = None
        self.found = 0

    def find(self, key: bytes) -> KeptResponse | None:
        self.found += 1
        return self.near if key == KEY else None

    async def look(self, key: bytes) -> KeptResponse | None:
        return self.far if key == KEY else None

    async def get(self, key: bytes, make: Make) -> KeptResponse | None:  # noqa: ARG002  # as the port says
        return KEPT


class Endpoint:
    """Reads the body as the real one does, and says under which key its answer is kept."""

    def __init__(self) -> None:
        self.bodies: list[bytes | type[Exception]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self.bodies.append(await RequestBody(scope, receive, LIMITS).read_all(100_000))
        except (ClientDisconnectedError, RequestStalledError) as error:
            self.bodies.append(type(error))
        if (asked := asked_of(scope)) is not None:
            asked.key = KEY
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"made"})


class Client:
    """Sends requests to one application."""

    def __init__(self, authentication: Authentication = OPEN, *, compresses: bool = False) -> None:
        self.codings = Codings(enabled=compresses)
        self.endpoint = Endpoint()
        self.responses = MemoryResponses()
        self.offered: list[Repeats[Ready]] = []
        self.more: Scope = {}
        keeper = ResponseKeeper(self.responses, self.codings)
        self.app = QuickAnswers(
            self.endpoint,
            keeper,
            lambda connection: f"http://{connection.headers['host']}",
            authentication,
            metrics=NO_METRICS,
            graphiql=True,
            patience_seconds=0.01,
        )

    async def ask(
        self, *messages: Message, method: str = "POST", query_string: str = "", **fields: str
    ) -> tuple[Headers, bytes]:
        """The head and the body of the answer. Fields are names with underscores; a body may come in parts."""
        named = {"host": "localhost", "accept": "application/json", "content-type": "application/json"}
        named |= {name.replace("_", "-"): value for name, value in fields.items()}
        headers = [(name.encode(), value.encode()) for name, value in named.items()]
        scope: Scope = {
            "type": "http",
            "method": method,
            "query_string": query_string.encode(),
            "headers": headers,
            OFFER: self.offered.append,
            **self.more,
        }
        sent: list[Message] = []
        waiting = list(messages)

        async def receive() -> Message:
            if not waiting:
                await asyncio.Event().wait()
            return waiting.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        return Headers(raw=sent[0]["headers"]), sent[1]["body"]


def parts(*contents: bytes) -> list[Message]:
    *first, last = contents
    return [*(part(content, more=True) for content in first), part(last)]


def part(content: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": content, "more_body": more}


@pytest.fixture
def client() -> Client:
    return Client()


async def bodies_of(client: Client, requests: Iterable[list[Message]], **fields: str) -> list[bytes]:
    return [(await client.ask(*messages, **fields))[1] for messages in requests]


async def test_the_same_bytes_are_answered_without_the_endpoint(client: Client) -> None:
    assert await bodies_of(client, [parts(BODY), parts(BODY)]) == [b"made", KEPT.body]
    assert client.endpoint.bodies == [BODY]


async def test_other_bytes_are_passed_on(client: Client) -> None:
    assert await bodies_of(client, [parts(BODY), parts(BODY + b" ")]) == [b"made", b"made"]
    assert client.endpoint.bodies == [BODY, BODY + b" "]


async def test_a_body_in_parts_is_passed_on_whole(client: Client) -> None:
    assert await bodies_of(client, [parts(BODY[:5], BODY[5:])] * 2) == [b"made", b"made"]
    assert client.endpoint.bodies == [BODY, BODY]


async def test_long_requests_are_not_remembered(client: Client) -> None:
    assert await bodies_of(client, [parts(BODY + bytes(8192))] * 2) == [b"made", b"made"]


@pytest.mark.parametrize(
    "fields",
    [
        {"idempotency_key": "key"},
        {"expect": "100-continue"},
        {"content_type": "multipart/form-data; boundary=x"},
        {"content_type": "text/plain"},
        {"content_encoding": "gzip"},
        {"accept": "text/event-stream"},
        {"accept": "image/png"},
    ],
    ids=["key", "expect", "multipart", "text", "compressed", "events", "picture"],
)
async def test_other_kinds_of_requests_have_nothing_to_do_with_kept_answers(
    client: Client, fields: dict[str, str]
) -> None:
    await client.ask(*parts(BODY))
    assert await bodies_of(client, [parts(BODY)] * 2, **fields) == [b"made", b"made"]


async def test_another_host_is_another_request(client: Client) -> None:
    await client.ask(*parts(BODY))
    assert await bodies_of(client, [parts(BODY)] * 2, host="elsewhere") == [b"made", KEPT.body]


async def test_a_get_is_known_by_its_query_string(client: Client) -> None:
    for asked, expected in (("query=a", b"made"), ("query=a", KEPT.body), ("query=b", b"made")):
        _, body = await client.ask(part(b""), method="GET", query_string=asked, x_graphql_csrf="1")
        assert body == expected


@pytest.mark.parametrize("fields", [{}, {"x_graphql_csrf": "1", "accept": "text/html"}], ids=["csrf", "page"])
async def test_a_get_that_is_refused_or_gets_a_page_is_passed_on(client: Client, fields: dict[str, str]) -> None:
    for _ in range(2):
        _, body = await client.ask(part(b""), method="GET", query_string="query=a", **fields)
        assert body == b"made"


async def test_a_get_is_told_by_its_validator_that_nothing_has_changed(client: Client) -> None:
    await client.ask(part(b""), method="GET", query_string="query=a", x_graphql_csrf="1")
    head, body = await client.ask(
        part(b""), method="GET", query_string="query=a", x_graphql_csrf="1", if_none_match='"0123"'
    )

    assert body == b""
    assert dict(head) == {"vary": "Accept", "cache-control": "private, no-cache", "etag": '"0123"'}


class Doors:
    """Knows whoever shows their name, until that is revoked or nobody can tell any more."""

    def __init__(self, *viewers: Viewer) -> None:
        self.viewers = {viewer.id.hex: viewer for viewer in viewers}
        self.is_away = False

    async def viewer_of(self, credential: str) -> Viewer:
        if self.is_away:
            raise UnavailableError(SERVICE)
        if credential not in self.viewers:
            raise RefusedCredentialError(REASON)
        return self.viewers[credential]


async def test_an_answer_is_kept_for_the_viewer_who_asked_and_for_no_other() -> None:
    client = Client(Authentication(Doors(ADA, BOB)))

    async def asked_by(viewer: Viewer) -> bytes:
        return (await client.ask(*parts(BODY), authorization=f"Bearer {viewer.id.hex}"))[1]

    assert [await asked_by(viewer) for viewer in (ADA, BOB, ADA, BOB)] == [b"made", b"made", KEPT.body, KEPT.body]


async def test_who_is_not_believed_any_more_gets_nothing_that_is_kept() -> None:
    doors = Doors(ADA)
    client = Client(Authentication(doors))
    shown = f"Bearer {ADA.id.hex}"
    assert await bodies_of(client, [parts(BODY)] * 2, authorization=shown) == [b"made", KEPT.body]

    doors.is_away = True
    assert await bodies_of(client, [parts(BODY)], authorization=shown) == [b"made"]
    doors.is_away = False
    del doors.viewers[ADA.id.hex]
    assert await bodies_of(client, [parts(BODY)], authorization=shown) == [b"made"]
    assert await bodies_of(client, [parts(BODY)]) == [b"made"]


async def test_who_goes_away_or_sends_nothing_is_noticed_by_the_endpoint(client: Client) -> None:
    await client.ask({"type": "http.disconnect"})
    await client.ask()

    assert client.endpoint.bodies == [ClientDisconnectedError, RequestStalledError]


async def test_the_server_is_told_how_to_answer_the_same_bytes_again(client: Client) -> None:
    await bodies_of(client, [parts(BODY), parts(BODY)])
    [again] = client.offered
    first, second = again.now(), again.now()

    assert first is not None
    assert second is not None
    assert (first.status, first.body) == (200, KEPT.body)
    assert dict(first.headers)[b"content-length"] == b"15"
    assert second.headers is first.headers


async def test_it_gives_the_answer_of_the_moment(client: Client) -> None:
    await bodies_of(client, [parts(BODY), parts(BODY)])
    [again] = client.offered
    again.now()
    client.responses.near = KeptResponse(body=b'{"data":"other"}', digest="4567")
    other = again.now()
    assert other is not None
    assert (other.body, dict(other.headers)[b"content-length"]) == (b'{"data":"other"}', b"16")
    client.responses.near = None
    assert again.now() is None


async def test_it_says_that_nothing_has_changed_as_often_as_that_is_so(client: Client) -> None:
    for _ in range(2):
        await client.ask(part(b""), method="GET", query_string="query=a", x_graphql_csrf="1", if_none_match='"0123"')
    [again] = client.offered
    assert [again.now(), again.now()] == [Ready(304, UNCHANGED, b"")] * 2
    client.responses.near = KeptResponse(body=KEPT.body, digest="4567")
    changed = again.now()
    assert changed is not None
    assert (changed.status, changed.body) == (200, KEPT.body)


async def test_it_has_no_answer_in_a_coding_that_is_not_kept() -> None:
    client = Client(compresses=True)
    body = KEPT.body * 100
    client.responses.near = KeptResponse(body=body, digest="0123", encoded={"gzip": b"zipped"})
    await client.codings.choose(b"gzip", len(body))
    await bodies_of(client, [parts(BODY), parts(BODY)], accept_encoding="gzip")
    [again] = client.offered
    zipped = again.now()
    assert zipped is not None
    assert (zipped.body, dict(zipped.headers)[b"content-encoding"]) == (b"zipped", b"gzip")
    client.responses.near = KeptResponse(body=body, digest="0123")
    assert again.now() is None


async def test_answers_that_lie_farther_away_are_waited_for(client: Client) -> None:
    client.responses.near, client.responses.far = None, KEPT
    assert await bodies_of(client, [parts(BODY), parts(BODY)]) == [b"made", KEPT.body]
    [again] = client.offered
    assert again.is_far
    assert again.now() is None
    found = await again.later()
    assert found is not None
    assert found.body == KEPT.body
    client.responses.far = None
    assert await again.later() is None


async def test_an_answer_that_the_server_has_missed_is_not_looked_for_again(client: Client) -> None:
    await client.ask(*parts(BODY))
    client.more = {MISSED: True}
    assert await bodies_of(client, [parts(BODY)]) == [b"made"]
    assert client.responses.found == 0
    assert client.offered == []


async def test_where_it_matters_who_asks_nothing_is_given_again() -> None:
    client = Client(Authentication(Doors(ADA)))
    shown = f"Bearer {ADA.id.hex}"
    assert await bodies_of(client, [parts(BODY), parts(BODY)], authorization=shown) == [b"made", KEPT.body]
    assert client.offered == []


UNCHANGED = [(b"vary", b"Accept"), (b"cache-control", b"private, no-cache"), (b"etag", b'"0123"')]


async def test_a_stream_of_requests_that_come_once_pushes_out_none_that_is_used(client: Client) -> None:
    assert await bodies_of(client, [parts(BODY)] * 2) == [b"made", KEPT.body]

    await bodies_of(client, (parts(BODY + b" " * number) for number in range(1, 5000)))

    assert await bodies_of(client, [parts(BODY)]) == [KEPT.body]


async def test_long_fields_are_not_remembered(client: Client) -> None:
    tracemalloc.start()
    try:
        for number in range(20):
            await client.ask(*parts(BODY), accept=f"application/json, text/{'x' * 1_000_000}{number}")
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held_bytes < 10_000_000
