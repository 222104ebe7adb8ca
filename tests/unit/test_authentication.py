"""Who may use which address, by what a request shows."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from gallery.domain.access import ANONYMOUS, LOCAL_ADMINISTRATOR, Role, Scope, Visibility
from gallery.domain.accounts import new_secret
from gallery.settings import MetricsSettings, ServerSettings, Settings
from gallery.settings_auth import AuthMode, AuthSettings
from gallery.web.app import create_web_app
from gallery.web.authentication import OPEN, VIEWER, Authentication, Credentials, UnauthenticatedError
from gallery.web.media_urls import original_url
from tests.entities import NOON, a_token, an_account, an_image
from tests.fakes.documents import MemoryDocumentStore
from tests.fakes.gallery import MemoryGallery
from tests.unit.test_app import parts_of
from tests.unit.test_metrics_http import counting

STATS = "{ stats { imageCount } }"
PROBE = "{ __typename }"
CHALLENGE = 'Bearer realm="gallery"'
WRONG = f'{CHALLENGE}, error="invalid_token"'
UNKNOWN = "This is no token of the gallery, or one that was revoked."
METRICS_TOKEN = "a token of the metrics"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A gallery that wants to know who asks, and a client on the same machine."""

    gallery: MemoryGallery
    client: httpx.AsyncClient

    def shown(self, role: Role = Role.VIEWER, *scopes: Scope, **token: object) -> dict[str, str]:
        """The headers of somebody with a token of their own."""
        account = an_account(f"account {len(self.gallery.tables.accounts)}")
        made, secret = a_token(account, **{"role": role, "scopes": scopes} | token)
        self.gallery.tables.accounts[account.id] = account
        self.gallery.tables.tokens[made.id] = made
        return bearer(secret)

    async def ask(self, document: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return await self.client.post("/graphql", json={"query": document}, headers=dict(headers or {}))


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def settings(mode: AuthMode = AuthMode.TOKEN, **metrics: str) -> Settings:
    return Settings(
        auth=AuthSettings(mode=mode),
        metrics=MetricsSettings.model_validate(metrics),
        server=ServerSettings(cors_origins=("https://app.example",)),
    )


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    gallery = MemoryGallery()
    parts = replace(parts_of(gallery), settings=settings(), counting=counting())
    transport = httpx.ASGITransport(create_web_app(parts), client=("127.0.0.1", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield Door(gallery=gallery, client=client)
        await gallery.authenticator.settle()


def told(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code, and how to show who one is."""
    (error,) = answer.json()["errors"]
    return answer.status_code, error["extensions"]["code"], answer.headers.get("www-authenticate")


# GraphQL


async def test_who_shows_a_token_is_answered(door: Door) -> None:
    answer = await door.ask(STATS, door.shown())

    assert (answer.status_code, answer.json()) == (200, {"data": {"stats": {"imageCount": 0}}})


@pytest.mark.parametrize(
    "document",
    [STATS, "{ __schema { queryType { name } } }", "{ __typename stats { imageCount } }", "{", "{ nothing }"],
    ids=["field", "introspection", "probe and more", "broken", "not valid"],
)
async def test_strangers_are_told_to_say_who_they_are_and_nothing_else(door: Door, document: str) -> None:
    answer = await door.ask(document)

    assert told(answer) == (401, "UNAUTHENTICATED", CHALLENGE)
    assert door.gallery.database.units_opened == door.gallery.account_reader.reads == 0


@pytest.mark.parametrize("document", [PROBE, "query Probe { __typename }", "query{__typename}", " {\n__typename\n}\n"])
async def test_strangers_may_see_whether_graphql_is_answered(door: Door, document: str) -> None:
    answer = await door.ask(document)

    assert (answer.status_code, answer.json()) == (200, {"data": {"__typename": "Query"}})


async def test_a_stranger_who_tells_a_document_for_a_probe_is_a_stranger_still() -> None:
    gallery, documents = MemoryGallery(), MemoryDocumentStore()
    parts = replace(parts_of(gallery), settings=settings(), documents=documents)
    transport = httpx.ASGITransport(create_web_app(parts))
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(PROBE.encode()).hexdigest()}}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        answer = await client.post("/graphql", json={"query": PROBE, "extensions": extensions})

    assert told(answer) == (401, "UNAUTHENTICATED", CHALLENGE)
    assert documents.documents == {}


async def test_a_stranger_who_names_a_document_by_its_hash_is_a_stranger_still(door: Door) -> None:
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}

    answer = await door.client.post("/graphql", json={"query": "", "extensions": extensions})

    assert told(answer) == (401, "UNAUTHENTICATED", CHALLENGE)


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic YWRhOmh1bnRlcjI=",
        "Bearer",
        "Bearer ",
        "Bearer a b",
        f"Bearer {'a' * 8193}",
        "gal_0a1b2c3d_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno-_2of09k",
        "",
    ],
    ids=["other scheme", "no token", "blank", "two words", "long", "no scheme", "empty"],
)
@pytest.mark.parametrize("document", [STATS, PROBE])
async def test_a_header_of_another_shape_is_refused_even_for_a_probe(
    door: Door, authorization: str, document: str
) -> None:
    answer = await door.ask(document, {"Authorization": authorization})

    assert told(answer) == (401, "UNAUTHENTICATED", WRONG)
    assert door.gallery.account_reader.reads == 0


async def test_a_made_up_token_is_refused(door: Door) -> None:
    answer = await door.ask(PROBE, bearer(new_secret()))

    assert told(answer) == (401, "UNAUTHENTICATED", WRONG)
    assert answer.json()["errors"][0]["message"] == UNKNOWN


async def test_two_tokens_at_once_are_refused(door: Door) -> None:
    headers = [*door.shown().items(), *door.shown().items()]

    answer = await door.client.post("/graphql", json={"query": STATS}, headers=headers)

    assert told(answer) == (401, "UNAUTHENTICATED", WRONG)


async def test_the_scheme_may_be_written_in_any_case(door: Door) -> None:
    (value,) = door.shown().values()

    assert (await door.ask(STATS, {"Authorization": value.replace("Bearer ", "bEARER  ")})).status_code == 200


async def test_without_the_database_nobody_new_is_known(door: Door) -> None:
    headers = door.shown()
    door.gallery.database.unavailable = True

    answer = await door.ask(STATS, headers)

    assert told(answer) == (503, "SERVICE_UNAVAILABLE", None)


@pytest.mark.parametrize(
    ("role", "scopes", "document", "code"),
    [
        (Role.EDITOR, [Scope.UPLOAD], STATS, "FORBIDDEN"),
        (Role.EDITOR, [Scope.UPLOAD], '{ upload(id: "upl_00000000000070008000000000000001") { id } }', "NOT_FOUND"),
        (Role.EDITOR, [Scope.UPLOAD], 'mutation { createTag(input: {name: "a"}) { tag { imageCount } } }', "FORBIDDEN"),
        (Role.EDITOR, [Scope.UPLOAD], 'mutation { createTag(input: {name: "a"}) { tag { name } } }', None),
        (Role.EDITOR, [Scope.READ], 'mutation { createTag(input: {name: "a"}) { tag { name } } }', "FORBIDDEN"),
        (Role.VIEWER, [], 'mutation { createTag(input: {name: "a"}) { tag { name } } }', "FORBIDDEN"),
        (Role.CONTRIBUTOR, [], 'mutation { createTag(input: {name: "a"}) { tag { name } } }', None),
        (Role.EDITOR, [], "{ storageReport { objectCount } }", "FORBIDDEN"),
        (Role.ADMINISTRATOR, [], "{ storageReport { objectCount } }", None),
    ],
    ids=[
        "upload reads",
        "upload of one's own",
        "upload reads through a mutation",
        "upload adds",
        "read adds",
        "viewer adds",
        "contributor adds",
        "editor administers",
        "administrator administers",
    ],
)
async def test_role_and_scopes_decide_what_is_done(
    door: Door, role: Role, scopes: list[Scope], document: str, code: str | None
) -> None:
    answer = await door.ask(document, door.shown(role, *scopes))

    codes = [error["extensions"]["code"] for error in answer.json().get("errors", [])]
    assert (answer.status_code, codes) == (200, [] if code is None else [code])


async def test_who_asks_is_told_who_they_are(door: Door) -> None:
    headers = door.shown(Role.EDITOR, Scope.READ, Scope.EDIT)

    answer = await door.ask(
        "{ viewer { name kind role scopes rights tokens { name role scopes expiresAt } } }", headers
    )

    token = {"name": "script", "role": "EDITOR", "scopes": ["READ", "EDIT"], "expiresAt": None}
    assert answer.json()["data"]["viewer"] == {
        "name": "account 1",
        "kind": "PERSON",
        "role": "EDITOR",
        "scopes": ["READ", "EDIT"],
        "rights": ["READ", "EDIT"],
        "tokens": [token],
    }


async def test_a_token_is_made_used_and_revoked(door: Door) -> None:
    headers = door.shown(Role.ADMINISTRATOR)
    make = 'mutation { createToken(input: {name: "phone", role: VIEWER}) { secret token { id } errors { code } } }'

    made: dict[str, Any] = (await door.ask(make, headers)).json()["data"]["createToken"]
    used = await door.ask("{ viewer { role } }", bearer(made["secret"]))
    revoke = f'mutation {{ revokeToken(input: {{id: "{made["token"]["id"]}"}}) {{ token {{ revokedAt }} }} }}'
    revoked = await door.ask(revoke, headers)
    refused = await door.ask(PROBE, bearer(made["secret"]))

    assert made["errors"] == []
    assert used.json()["data"] == {"viewer": {"role": "VIEWER"}}
    assert revoked.json()["data"] == {"revokeToken": {"token": {"revokedAt": NOON.isoformat()}}}
    assert told(refused) == (401, "UNAUTHENTICATED", WRONG)


async def test_what_a_token_may_not_be_is_told_by_field(door: Door) -> None:
    make = 'mutation { createToken(input: {name: "x", role: EDITOR}) { secret token { id } errors { code field } } }'

    answer = await door.ask(make, door.shown(Role.VIEWER))

    error = {"code": "INVALID_INPUT", "field": ["role"]}
    assert answer.json()["data"] == {"createToken": {"secret": None, "token": None, "errors": [error]}}


@pytest.mark.parametrize(
    "field", ['createToken(input: {name: "phone"}) { secret }', "again: createShareLink(input: {}) { token }"]
)
async def test_what_answers_with_a_secret_takes_no_idempotency_key(door: Door, field: str) -> None:
    headers = door.shown(Role.EDITOR)
    before = door.gallery.tables.copy()

    answer = await door.ask(f"mutation {{ {field} }}", headers | {"Idempotency-Key": "once"})

    assert told(answer) == (400, "BAD_REQUEST", None)
    assert "its answer holds a secret, which is kept nowhere" in answer.json()["errors"][0]["message"]
    assert door.gallery.tables == before


async def test_who_may_only_add_gets_the_same_answer_when_they_send_it_again(door: Door) -> None:
    headers = door.shown(Role.CONTRIBUTOR, Scope.UPLOAD) | {"Idempotency-Key": "once"}
    make = 'mutation { createTag(input: {name: "sea"}) { tag { id name } errors { code } } }'

    first, second = [(await door.ask(make, headers)).json() for _ in range(2)]

    assert first == second
    assert first["data"]["createTag"]["tag"]["name"] == "sea"


@pytest.mark.parametrize("compiled", [False, True], ids=["first", "compiled"])
async def test_who_may_only_add_reads_nothing_through_what_they_add(door: Door, compiled: bool) -> None:
    headers = door.shown(Role.EDITOR, Scope.UPLOAD)
    make = """
        mutation ($name: String!) { createTag(input: {name: $name}) { tag { name images { nodes { title } } } } }
    """
    answers = [
        await door.client.post("/graphql", json={"query": make, "variables": {"name": name}}, headers=headers)
        for name in ("sea", *(["sand", "sky"] if compiled else []))
    ]

    assert [[error["extensions"]["code"] for error in answer.json()["errors"]] for answer in answers] == [
        ["FORBIDDEN"]
    ] * len(answers)


@pytest.mark.parametrize("prefix", ["acc", "tok"])
async def test_accounts_and_tokens_are_no_nodes(door: Door, prefix: str) -> None:
    answer = await door.ask(f'{{ node(id: "{prefix}_00000000000070008000000000000001") {{ id }} }}', door.shown())

    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["INVALID_ID"]


async def test_the_page_of_another_origin_may_show_a_token(door: Door) -> None:
    asked = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }

    answer = await door.client.options("/graphql", headers=asked)

    assert answer.status_code == 200
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()


async def test_the_page_and_the_manual_are_for_those_who_are_known(door: Door) -> None:
    page = await door.client.get("/graphql", headers=door.shown() | {"Accept": "text/html"})
    led = await door.client.get("/graphql", headers={"Accept": "text/html"})
    stranger = await door.client.get("/schema.graphql")
    somebody = await door.client.get("/schema.graphql", headers=door.shown())

    assert (page.status_code, somebody.status_code) == (200, 200)
    assert (led.status_code, led.headers["location"]) == (303, "/auth/login?next=%2Fgraphql")
    assert told(stranger) == (401, "UNAUTHENTICATED", CHALLENGE)
    assert "Image" not in stranger.text


# Files


async def test_files_are_for_those_who_may_read_and_kept_by_nobody_in_between(door: Door) -> None:
    image = an_image(file_size_bytes=16, visibility=Visibility.PUBLIC)
    door.gallery.holds(image)
    url = original_url("", image)

    stranger = await door.client.get(url)
    wrong = await door.client.get(url, headers=bearer(new_secret()))
    uploader = await door.client.get(url, headers=door.shown(Role.EDITOR, Scope.UPLOAD))
    reader = await door.client.get(url, headers=door.shown())
    same = await door.client.get(url, headers=door.shown() | {"If-None-Match": reader.headers["etag"]})
    strange = await door.client.get(url, headers={"If-None-Match": reader.headers["etag"]})

    assert told(stranger) == told(strange) == (401, "UNAUTHENTICATED", CHALLENGE)
    assert told(wrong) == (401, "UNAUTHENTICATED", WRONG)
    assert told(uploader) == (403, "FORBIDDEN", None)
    assert (reader.status_code, reader.content) == (200, image.id.bytes)
    for answer in (reader, same):
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert "Authorization" in answer.headers["vary"].split(", ")
    assert same.status_code == 304
    for answer in (stranger, wrong, uploader):
        assert answer.headers["cache-control"] == "no-store"


async def test_strangers_cannot_tell_which_files_there_are(door: Door) -> None:
    image = an_image()

    answers = [await door.client.get(url) for url in (original_url("", image), "/media/img_7/a.jpg")]

    assert [told(answer) for answer in answers] == [(401, "UNAUTHENTICATED", CHALLENGE)] * 2


# Health and metrics


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_probes_need_no_token(door: Door, path: str) -> None:
    assert (await door.client.get(path)).status_code == 200


async def test_health_tells_administrators_alone_what_is_wrong(door: Door) -> None:
    short = {"status": "degraded"}

    for headers in ({}, bearer(new_secret()), door.shown(Role.EDITOR)):
        answer = await door.client.get("/healthz", headers=headers)
        assert (answer.status_code, answer.json()) == (200, short)
    answer = await door.client.get("/healthz", headers=door.shown(Role.ADMINISTRATOR))
    assert answer.json().keys() == {"status", "version", "dependencies"}


async def test_health_answers_without_the_database_that_knows_who_asks(door: Door) -> None:
    headers = door.shown(Role.ADMINISTRATOR)
    door.gallery.database.unavailable = True

    assert (await door.client.get("/healthz", headers=headers)).json() == {"status": "degraded"}


async def test_metrics_are_for_administrators_even_on_the_same_machine(door: Door) -> None:
    stranger = await door.client.get("/metrics")
    editor = await door.client.get("/metrics", headers=door.shown(Role.EDITOR))
    administrator = await door.client.get("/metrics", headers=door.shown(Role.ADMINISTRATOR))

    assert told(stranger) == (401, "UNAUTHENTICATED", CHALLENGE)
    assert told(editor) == (403, "FORBIDDEN", None)
    assert administrator.status_code == 200
    assert administrator.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(("shown", "status"), [(METRICS_TOKEN.split(), 401), ([METRICS_TOKEN], 200)])
async def test_metrics_have_a_token_of_their_own_beside(shown: list[str], status: int) -> None:
    gallery = MemoryGallery()
    parts = replace(parts_of(gallery), settings=settings(token=METRICS_TOKEN), counting=counting())
    transport = httpx.ASGITransport(create_web_app(parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        assert (await client.get("/metrics", headers=bearer(shown[0]))).status_code == status


# A gallery that asks nobody


@pytest.mark.parametrize("mode", [AuthMode.LOCAL, AuthMode.OPEN])
async def test_where_nobody_is_asked_everybody_is_the_administrator(mode: AuthMode) -> None:
    gallery = MemoryGallery()
    parts = replace(parts_of(gallery), settings=settings(mode))
    transport = httpx.ASGITransport(create_web_app(parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        answer = await client.post(
            "/graphql", json={"query": "{ viewer { id name role } }"}, headers={"Authorization": "Basic eA=="}
        )

    assert answer.json()["data"]["viewer"] == {
        "id": f"acc_{LOCAL_ADMINISTRATOR.id.hex}",
        "name": "administrator",
        "role": "ADMINISTRATOR",
    }
    assert gallery.account_reader.lookups == []


async def test_whoever_shows_nothing_is_anonymous_unless_nobody_is_asked() -> None:
    assert await Authentication(MemoryGallery().authenticator).viewer_of(Credentials()) == ANONYMOUS
    assert await OPEN.viewer_of(Credentials()) == LOCAL_ADMINISTRATOR


async def test_who_sent_a_request_is_found_out_once() -> None:
    gallery = MemoryGallery()
    authentication = Authentication(gallery.authenticator)
    account = an_account()
    token, secret = a_token(account)
    gallery.tables.accounts[account.id], gallery.tables.tokens[token.id] = account, token
    good: dict[str, Any] = {"type": "http", "headers": [(b"authorization", f"Bearer {secret}".encode())]}
    bad: dict[str, Any] = {"type": "http", "headers": [(b"authorization", f"Bearer {new_secret()}".encode())]}

    viewer = await authentication.viewer_in(good)
    good["headers"].clear()
    assert await authentication.viewer_in(good) is viewer
    for _ in range(2):
        with pytest.raises(UnauthenticatedError):
            await authentication.viewer_in(bad)
    assert good[VIEWER] == viewer == token.viewer(account)
    assert VIEWER not in bad
    await gallery.authenticator.settle()


# The log


async def test_refusals_are_logged_once_a_second_and_without_what_was_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [100.0]
    gallery = MemoryGallery()
    authentication = Authentication(gallery.authenticator, clock=lambda: now[0])
    secrets = [new_secret() for _ in range(4)]

    with caplog.at_level(logging.WARNING):
        for index, secret in enumerate(secrets):
            now[0] += 0.4 if index < 3 else 1.0
            with pytest.raises(UnauthenticatedError):
                await authentication.viewer_of(Credentials(authorization=(f"Bearer {secret}",)))

    told_of = [(record.getMessage(), vars(record)["others"]) for record in caplog.records]
    assert told_of == [(f"credentials were refused: {UNKNOWN}", 0), (f"credentials were refused: {UNKNOWN}", 2)]
    assert not any(secret[13:] in str(vars(record)) for secret in secrets for record in caplog.records)


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (None, ()),
        ({}, ()),
        ({"authorization": None}, ()),
        ({"authorization": "Bearer a"}, ("Bearer a",)),
        ({"Authorization": "Bearer a"}, ("Bearer a",)),
        ({"authorization": 7}, ("7",)),
    ],
    ids=["none", "empty", "null", "as meant", "as the header", "number"],
)
def test_the_first_message_of_a_websocket_may_show_a_token(
    payload: dict[str, object] | None, shown: tuple[str, ...]
) -> None:
    assert Credentials.of_message(payload).authorization == shown
