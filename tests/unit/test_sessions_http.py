"""Signing in and out over HTTP, and what a cookie is worth: to the gallery's own pages, and to others."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from gallery.domain.access import Role
from gallery.domain.events import EventKind
from gallery.domain.sessions import new_session_secret
from gallery.settings import ServerSettings, Settings
from gallery.settings_auth import AuthMode, AuthSettings, Strangers
from gallery.settings_graphql import Exposed, GraphQLSettings
from gallery.web.app import create_web_app
from tests.entities import NOON, a_session, a_token, an_account
from tests.fakes.documents import MemoryDocumentStore
from tests.fakes.gallery import MemoryGallery
from tests.unit.test_app import parts_of

ADA = an_account("Ada", role=Role.EDITOR)
PASSWORD = "correct horse battery"
GOOD = {"name": "Ada", "password": PASSWORD}
STATS = "{ stats { imageCount } }"
TAG = 'mutation { createTag(input: {name: "sea"}) { tag { name } } }'
HERE = "http://127.0.0.1:8000"
SECURE = "https://photos.example"
OWN = {"Origin": HERE, "Sec-Fetch-Site": "same-origin"}
PROGRAM = {"X-GraphQL-CSRF": "1"}
NAMES = {HERE: "gallery_session", SECURE: "__Host-gallery_session"}
WRONG = "The name or the password is wrong."


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A gallery in which Ada has a password, and a client that keeps no cookie."""

    gallery: MemoryGallery
    client: httpx.AsyncClient
    url: str

    def cookie(self, **fields: object) -> dict[str, str]:
        """The header of a browser in which Ada has signed in."""
        session, secret = a_session(ADA, **fields)
        self.gallery.tables.sessions[session.id] = session
        return {"Cookie": f"{NAMES[self.url]}={secret}"}

    async def log_in(self, headers: Mapping[str, str] = OWN, **given: Any) -> httpx.Response:  # noqa: ANN401  # as given
        return await self.client.post("/auth/login", json=GOOD | given, headers=dict(headers))

    async def ask(self, document: str = STATS, **headers: str) -> httpx.Response:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post("/graphql", json={"query": document}, headers=fields)


def opened(
    url: str = HERE,
    *,
    server: ServerSettings | None = None,
    graphql: GraphQLSettings | None = None,
    documents: MemoryDocumentStore | None = None,
    **auth: Any,  # noqa: ANN401  # any setting
) -> Door:
    gallery = MemoryGallery()
    gallery.tables.accounts[ADA.id] = ADA
    gallery.tables.passwords[ADA.id] = f"1:{PASSWORD}"
    settings = Settings(
        auth=AuthSettings.model_validate({"mode": AuthMode.TOKEN} | auth),
        graphql=graphql or GraphQLSettings(),
        server=server or ServerSettings(allowed_hosts=("*",), cors_origins=("https://app.example",)),
    )
    app = create_web_app(replace(parts_of(gallery), settings=settings, documents=documents))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app, client=("192.0.2.1", 5000)), base_url=url)
    return Door(gallery=gallery, client=client, url=url)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = opened()
    async with door.client:
        yield door
        await door.gallery.authenticator.settle()
        await door.gallery.signing_in.settle()


def named(document: str) -> dict[str, Any]:
    """The extensions by which a client names a document."""
    return {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(document.encode()).hexdigest()}}


def code(answer: httpx.Response) -> tuple[int, str]:
    (error,) = answer.json()["errors"]
    return answer.status_code, error["extensions"]["code"]


def given_cookie(answer: httpx.Response) -> str:
    (cookie,) = answer.headers.get_list("set-cookie")
    return cookie


# Signing in


async def test_a_program_signs_in_with_json(door: Door) -> None:
    answer = await door.log_in()

    [session] = door.gallery.tables.sessions.values()
    assert answer.status_code == 200
    assert answer.json() == {
        "account": {"id": f"acc_{ADA.id.hex}", "name": "Ada", "role": "EDITOR"},
        "session": {"createdAt": NOON.isoformat(), "expiresAt": session.expires_at.isoformat()},
    }
    assert answer.headers["cache-control"] == "no-store"
    pattern = r"gallery_session=([\w-]{43}); HttpOnly; Max-Age=604800; Path=/; SameSite=lax"
    match = re.fullmatch(pattern, given_cookie(answer))
    assert match is not None
    asked = await door.ask(Cookie=f"gallery_session={match[1]}", Origin=HERE)
    assert asked.json() == {"data": {"stats": {"imageCount": 0}}}


async def test_by_tls_the_cookie_is_for_this_host_and_tls_alone() -> None:
    async with (door := opened(SECURE)).client:
        answer = await door.log_in({"Origin": SECURE})
        plain = await door.ask(Cookie=door.cookie()["Cookie"].removeprefix("__Host-"), Origin=SECURE)

    cookie = given_cookie(answer)
    assert cookie.startswith("__Host-gallery_session=")
    assert cookie.endswith("; HttpOnly; Max-Age=604800; Path=/; SameSite=lax; Secure")
    assert "domain" not in cookie.lower()
    assert code(plain) == (401, "UNAUTHENTICATED")


async def test_behind_a_proxy_the_public_address_says_that_there_is_tls() -> None:
    server = ServerSettings.model_validate({"public_url": SECURE, "allowed_hosts": ("*",)})
    async with (door := opened(server=server)).client:
        answer = await door.log_in({"Origin": SECURE})

    assert given_cookie(answer).startswith("__Host-gallery_session=")
    assert "; Secure" in given_cookie(answer)


@pytest.mark.parametrize("public_url", [None, SECURE], ids=["by the request", "by the setting"])
async def test_a_page_of_the_same_host_without_tls_is_another(public_url: str | None) -> None:
    server = ServerSettings.model_validate({"public_url": public_url, "allowed_hosts": ("*",)})
    plain = SECURE.replace("https", "http")
    async with (door := opened(SECURE, server=server)).client:
        own = await door.ask(Origin=SECURE, **door.cookie())
        strange = await door.ask(Origin=plain, **door.cookie())
        signed_in = await door.log_in({"Origin": plain})

    assert own.json() == {"data": {"stats": {"imageCount": 0}}}
    assert code(strange) == (401, "UNAUTHENTICATED")
    assert code(signed_in) == (403, "ORIGIN_NOT_ALLOWED")
    assert door.gallery.hasher.looked == []


async def test_without_tls_nobody_signs_in_from_elsewhere() -> None:
    async with (door := opened("http://photos.example")).client:
        answer = await door.log_in({"Origin": "http://photos.example"})

    assert code(answer) == (403, "INSECURE_CONNECTION")
    assert door.gallery.hasher.looked == []
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("given", [{"password": "wrong"}, {"name": "Eve"}], ids=["password", "name"])
async def test_what_is_wrong_is_not_told(door: Door, given: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        answer = await door.log_in(**given)

    assert code(answer) == (401, "UNAUTHENTICATED")
    assert answer.json()["errors"][0]["message"] == WRONG
    assert "set-cookie" not in answer.headers
    assert f"credentials were refused: {WRONG}" in [record.getMessage() for record in caplog.records]
    told = " ".join(record.getMessage() for record in caplog.records)
    assert not [word for word in ("Ada", "Eve", "192.0.2.1", PASSWORD) if word in told]


async def test_who_is_wrong_too_often_is_told_when_to_try_again(door: Door) -> None:
    for _ in range(5):
        await door.log_in(password="wrong")

    answer = await door.log_in()

    assert code(answer) == (429, "TOO_MANY_ATTEMPTS")
    assert answer.headers["retry-after"] == "60"
    assert not door.gallery.tables.sessions


async def test_without_the_database_nobody_signs_in(door: Door) -> None:
    door.gallery.database.unavailable = True

    assert code(await door.log_in()) == (503, "SERVICE_UNAVAILABLE")


@pytest.mark.parametrize(
    ("headers", "content", "expected"),
    [
        ({"Content-Type": "application/json"}, b"{", (400, "BAD_REQUEST")),
        ({"Content-Type": "application/json"}, b"[]", (400, "BAD_REQUEST")),
        ({"Content-Type": "application/json"}, b'{"name": "Ada"}', (400, "BAD_REQUEST")),
        ({"Content-Type": "application/json"}, b'{"name": "Ada", "password": 7}', (400, "BAD_REQUEST")),
        ({"Content-Type": "text/plain"}, b"{}", (415, "UNSUPPORTED_MEDIA_TYPE")),
        ({}, b"", (415, "UNSUPPORTED_MEDIA_TYPE")),
        ({"Content-Type": "application/json"}, b" " * 16_385, (413, "REQUEST_TOO_LARGE")),
    ],
    ids=["no JSON", "list", "no password", "number", "text", "nothing", "large"],
)
async def test_what_is_no_name_and_password_is_refused(
    door: Door, headers: dict[str, str], content: bytes, expected: tuple[int, str]
) -> None:
    answer = await door.client.post("/auth/login", content=content, headers=OWN | headers)

    assert code(answer) == expected
    assert door.gallery.hasher.looked == []


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "https://app.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:9000"},
    {"Origin": HERE, "Sec-Fetch-Site": "cross-site"},
    {"Origin": HERE, "Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example", "X-GraphQL-CSRF": "1"},
]
FOREIGN_IDS = [
    "other",
    "of CORS",
    "null",
    "other port",
    "cross-site",
    "same site",
    "no origin, cross",
    "no origin, same",
    "header",
]


@pytest.mark.parametrize("headers", [*FOREIGN, {}], ids=[*FOREIGN_IDS, "nothing"])
async def test_pages_of_others_sign_nobody_in(door: Door, headers: dict[str, str]) -> None:
    answer = await door.log_in(headers)

    assert code(answer) == (403, "ORIGIN_NOT_ALLOWED")
    assert door.gallery.hasher.looked == []


@pytest.mark.parametrize(
    "headers",
    [OWN, PROGRAM, {"Origin": HERE}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}],
    ids=["own page", "program", "old browser", "no origin", "person"],
)
async def test_own_pages_and_programs_sign_people_in(door: Door, headers: dict[str, str]) -> None:
    assert (await door.log_in(headers)).status_code == 200


# What a cookie is worth


async def test_a_session_is_shown_by_a_cookie(door: Door) -> None:
    answer = await door.ask("{ viewer { name rights sessions { way isCurrent } } }", **door.cookie(), **OWN_FIELDS)

    assert answer.json()["data"]["viewer"] == {
        "name": "Ada",
        "rights": ["READ", "CONTRIBUTE", "EDIT"],
        "sessions": [{"way": "PASSWORD", "isCurrent": True}],
    }


OWN_FIELDS = {"Origin": HERE, "Sec_Fetch_Site": "same-origin"}


@pytest.mark.parametrize("headers", [*FOREIGN, {}], ids=[*FOREIGN_IDS, "nothing"])
async def test_for_pages_of_others_a_cookie_is_worth_nothing(door: Door, headers: dict[str, str]) -> None:
    answer = await door.client.post("/graphql", json={"query": TAG}, headers=headers | door.cookie())

    assert code(answer) == (401, "UNAUTHENTICATED")
    assert not door.gallery.tables.tags


@pytest.mark.parametrize("headers", [OWN, PROGRAM], ids=["own page", "program"])
async def test_own_pages_change_things_with_it(door: Door, headers: dict[str, str]) -> None:
    answer = await door.client.post("/graphql", json={"query": TAG}, headers=headers | door.cookie())

    assert answer.json() == {"data": {"createTag": {"tag": {"name": "sea"}}}}


async def test_a_form_of_files_with_it_needs_the_header_of_all_forms(door: Door) -> None:
    answer = await door.client.post("/graphql", files={"operations": b"{}"}, headers=OWN | door.cookie())

    assert code(answer) == (400, "CSRF_HEADER_MISSING")


async def test_a_header_counts_for_more_than_a_cookie(door: Door) -> None:
    viewer = an_account("Bob", role=Role.VIEWER)
    token, secret = a_token(viewer, role=Role.VIEWER)
    door.gallery.tables.accounts[viewer.id] = viewer
    door.gallery.tables.tokens[token.id] = token

    bob = await door.ask("{ viewer { name } }", **door.cookie(), **OWN_FIELDS, Authorization=f"Bearer {secret}")
    wrong = await door.ask("{ viewer { name } }", **door.cookie(), **OWN_FIELDS, Authorization="Bearer wrong")

    assert bob.json() == {"data": {"viewer": {"name": "Bob"}}}
    assert code(wrong) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("auth", [{}, {"anonymous": Strangers.VIEWER}], ids=["closed", "shows strangers something"])
async def test_a_session_that_has_ended_is_refused_and_never_taken_for_a_stranger(auth: dict[str, Any]) -> None:
    async with (door := opened(**auth)).client:
        ended = await door.ask(**door.cookie(expires_at=NOON), **OWN_FIELDS)
        made_up = await door.ask(Cookie=f"gallery_session={new_session_secret()}", **OWN_FIELDS)
        garbage = await door.ask(Cookie="gallery_session=x", **OWN_FIELDS)

    for answer in (ended, made_up, garbage):
        assert code(answer) == (401, "UNAUTHENTICATED")
        assert answer.json()["errors"][0]["message"] == "Your session has ended. Sign in again."


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 404),
        ({"Sec-Fetch-Site": "same-origin"}, 404),
        ({"Sec-Fetch-Site": "none"}, 404),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 404),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 401),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 401),
        ({"Sec-Fetch-Site": "cross-site"}, 401),
        ({"Origin": "https://evil.example"}, 401),
        ({"Origin": "https://evil.example", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 401),
    ],
    ids=["old browser", "own", "person", "link", "frame", "same site", "other site", "other origin", "odd"],
)
async def test_files_are_shown_to_own_pages_and_to_who_follows_a_link(
    door: Door, headers: dict[str, str], status: int
) -> None:
    answer = await door.client.get(f"/media/img_{'0' * 32}/original.jpg", headers=headers | door.cookie())

    assert answer.status_code == status


async def test_where_nobody_is_asked_there_is_nothing_to_sign_in_to() -> None:
    async with (door := opened(mode=AuthMode.OPEN)).client:
        answers = [
            await door.client.get("/auth/login"),
            await door.client.get("/auth/session"),
            await door.log_in(),
            await door.client.post("/auth/logout", headers=OWN),
        ]
        page = await door.client.get("/graphql", headers={"Accept": "text/html"})

    assert [answer.status_code for answer in answers] == [404] * 4
    assert "sign-in" not in page.text


# Signing out, and who has signed in


async def test_signing_out_ends_the_session_and_takes_the_cookie(door: Door) -> None:
    cookie = door.cookie()

    answer = await door.client.post("/auth/logout", headers=OWN | cookie)

    assert answer.status_code == 204
    assert given_cookie(answer) == 'gallery_session=""; HttpOnly; Max-Age=0; Path=/; SameSite=lax'
    assert door.gallery.tables.sessions == {}
    assert [event.kind for event in door.gallery.events] == [EventKind.ACCOUNT_SESSIONS_ENDED]
    assert code(await door.ask(**cookie, **OWN_FIELDS)) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("headers", FOREIGN, ids=FOREIGN_IDS)
async def test_pages_of_others_sign_nobody_out(door: Door, headers: dict[str, str]) -> None:
    answer = await door.client.post("/auth/logout", headers=headers | door.cookie())

    assert code(answer) == (403, "ORIGIN_NOT_ALLOWED")
    assert len(door.gallery.tables.sessions) == 1
    assert "set-cookie" not in answer.headers


async def test_who_has_not_signed_in_may_sign_out(door: Door) -> None:
    assert (await door.client.post("/auth/logout", headers=OWN)).status_code == 204


async def test_signing_in_anew_ends_the_session_before(door: Door) -> None:
    old = door.cookie()

    assert (await door.log_in(OWN | old)).status_code == 200

    assert len(door.gallery.tables.sessions) == 1
    assert code(await door.ask(**old, **OWN_FIELDS)) == (401, "UNAUTHENTICATED")


async def test_a_browser_is_told_who_has_signed_in(door: Door) -> None:
    nobody = await door.client.get("/auth/session")
    ada = await door.client.get("/auth/session", headers=door.cookie())

    assert code(nobody) == (401, "UNAUTHENTICATED")
    assert ada.json() == {
        "account": {"id": f"acc_{ADA.id.hex}", "name": "Ada", "role": "EDITOR"},
        "rights": ["read", "contribute", "edit"],
        "isSession": True,
    }
    assert ada.headers["cache-control"] == "no-store"


async def test_a_person_ends_another_session_and_changes_the_password(door: Door) -> None:
    cookie, other = door.cookie(), door.cookie(created_at=NOON.replace(hour=1))
    listed = await door.ask("{ viewer { sessions { id isCurrent } } }", **cookie, **OWN_FIELDS)
    (there,) = [one["id"] for one in listed.json()["data"]["viewer"]["sessions"] if not one["isCurrent"]]

    ended = await door.ask(
        f'mutation {{ endSession(input: {{id: "{there}"}}) {{ errors {{ code }} }} }}', **cookie, **OWN_FIELDS
    )
    change = 'mutation {{ setPassword(input: {{old: "{}", new: "a better password"}}) {{ errors {{ code field }} }} }}'
    wrong, right = [await door.ask(change.format(old), **cookie, **OWN_FIELDS) for old in ("wrong", PASSWORD)]

    assert ended.json() == {"data": {"endSession": {"errors": []}}}
    assert code(await door.ask(**other, **OWN_FIELDS)) == (401, "UNAUTHENTICATED")
    assert wrong.json() == {"data": {"setPassword": {"errors": [{"code": "INVALID_PASSWORD", "field": ["old"]}]}}}
    assert right.json() == {"data": {"setPassword": {"errors": []}}}
    assert (await door.ask(**cookie, **OWN_FIELDS)).status_code == 200
    assert code(await door.log_in()) == (401, "UNAUTHENTICATED")
    assert (await door.log_in(password="a better password")).status_code == 200


# The page


async def test_the_page_has_a_form_and_no_script(door: Door) -> None:
    answer = await door.client.get("/auth/login", params={"next": "/graphql?query=%7B%22"})

    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert '<form method="post" action="/auth/login">' in answer.text
    assert 'value="/graphql?query=%7B%22"' in answer.text
    assert answer.headers["referrer-policy"] == "same-origin"


async def test_a_form_signs_in_and_leads_on(door: Door) -> None:
    answer = await door.client.post("/auth/login", data={**GOOD, "next": "/graphql?x=1"}, headers=OWN)

    assert (answer.status_code, answer.headers["location"]) == (303, "/graphql?x=1")
    assert given_cookie(answer).startswith("gallery_session=")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_form_that_is_wrong_comes_back_with_the_name_and_without_the_password(door: Door) -> None:
    fields = {"name": 'Ada"><script>', "password": "hunter2hunter2", "next": "/graphql"}

    answer = await door.client.post("/auth/login", data=fields, headers=OWN)

    assert answer.status_code == 401
    assert WRONG in answer.text
    assert "hunter2" not in answer.text
    assert "<script" not in answer.text
    assert 'value="Ada&quot;&gt;&lt;script&gt;"' in answer.text
    assert "set-cookie" not in answer.headers


async def test_a_form_that_comes_too_often_is_told_when_to_come_again(door: Door) -> None:
    for _ in range(5):
        await door.log_in(password="wrong")

    answer = await door.client.post("/auth/login", data=GOOD, headers=OWN)

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert "too many wrong attempts" in answer.text


@pytest.mark.parametrize(
    "there",
    [
        "", "https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "/a\\b", "evil", "/\tx",
        "javascript:alert(1)", "/a b", "/\r\nSet-Cookie: a=b", "/" + "a" * 2001,
    ],
    ids=["none", "URL", "slashes", "backslash", "backslashes", "inner", "relative", "tab",
         "script", "blank", "lines", "long"],
)  # fmt: skip
async def test_nobody_is_led_anywhere_else(door: Door, there: str) -> None:
    answer = await door.client.post("/auth/login", data={**GOOD, "next": there}, headers=OWN)
    left = await door.client.post(
        "/auth/logout", params={"next": there}, headers=OWN | {"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert (answer.status_code, answer.headers["location"]) == (303, "/graphql")
    assert (left.status_code, left.headers["location"]) == (303, "/graphql")


async def test_without_passwords_there_is_no_form() -> None:
    async with (door := opened(passwords=False)).client:
        page = await door.client.get("/auth/login")
        posted = await door.log_in()

    assert "<form" not in page.text
    assert posted.status_code == 405
    assert door.gallery.hasher.looked == []


async def test_graphiql_leads_to_signing_in_and_out(door: Door) -> None:
    html = {"Accept": "text/html"}
    stranger = await door.client.get("/graphql", headers=html)
    ada = await door.client.get("/graphql", headers=html | door.cookie())
    ended = await door.client.get("/graphql", headers=html | door.cookie(expires_at=NOON))

    for led in (stranger, ended):
        assert (led.status_code, led.headers["location"]) == (303, "/auth/login?next=%2Fgraphql")
    assert '<form id="sign-out" method="post" action="/auth/logout?next=%2Fgraphql"' in ada.text
    assert "sign-in" not in ada.text
    assert "form-action 'self'" in ada.headers["content-security-policy"]
    assert ada.headers["cache-control"] == "private, no-cache"
    assert ada.headers["vary"].startswith("Accept, Cookie")


async def test_where_graphiql_is_for_everybody_it_has_a_way_to_sign_in() -> None:
    async with (door := opened(graphql=GraphQLSettings(graphiql=Exposed.ON))).client:
        page = await door.client.get("/graphql", headers={"Accept": "text/html"})

    assert '<a id="sign-in" href="/auth/login?next=%2Fgraphql"' in page.text
    assert "sign-out" not in page.text


# Strangers


async def test_strangers_use_documents_that_are_kept_and_have_none_kept() -> None:
    documents = MemoryDocumentStore()
    told = {"query": STATS, "extensions": named(STATS)}
    async with (door := opened(documents=documents, anonymous=Strangers.VIEWER)).client:
        strangers = await door.client.post("/graphql", json=told)
        after_strangers = dict(documents.documents)
        own = await door.client.post("/graphql", json=told, headers=OWN | door.cookie())
        by_hash = await door.client.post("/graphql", json={"extensions": named(STATS)})
        await door.gallery.authenticator.settle()

    assert strangers.json() == own.json() == by_hash.json() == {"data": {"stats": {"imageCount": 0}}}
    assert after_strangers == {}
    assert list(documents.documents.values()) == [STATS]


async def test_strangers_see_what_a_viewer_sees_and_change_nothing() -> None:
    async with (door := opened(anonymous=Strangers.VIEWER)).client:
        seen = await door.ask()
        changed = await door.ask(TAG)
        viewer = await door.ask("{ viewer { name } }")
        file = await door.client.get(f"/media/img_{'0' * 32}/original.jpg")
        health = await door.client.get("/healthz")
        session = await door.client.get("/auth/session")

    assert seen.json() == {"data": {"stats": {"imageCount": 0}}}
    assert code(changed)[1] == "FORBIDDEN"
    assert code(viewer)[1] == "FORBIDDEN"
    assert not door.gallery.tables.tags
    assert file.status_code == 404
    assert "dependencies" not in health.json()
    assert code(session) == (401, "UNAUTHENTICATED")


async def test_by_default_strangers_see_nothing(door: Door) -> None:
    assert code(await door.ask()) == (401, "UNAUTHENTICATED")


async def test_where_strangers_see_something_a_wrong_token_is_refused_all_the_same() -> None:
    async with (door := opened(anonymous=Strangers.VIEWER)).client:
        assert code(await door.ask(Authorization="Bearer wrong")) == (401, "UNAUTHENTICATED")


async def test_for_pages_of_others_who_has_signed_in_is_a_stranger() -> None:
    async with (door := opened(anonymous=Strangers.VIEWER)).client:
        answer = await door.client.post(
            "/graphql", json={"query": TAG}, headers={"Origin": "https://evil.example"} | door.cookie()
        )

    assert code(answer)[1] == "FORBIDDEN"
    assert not door.gallery.tables.tags
