"""Signing in on the pages of an identity provider on a real socket: who gets a session, who does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest

from gallery.domain.access import Role
from gallery.domain.accounts import AccountKind
from gallery.domain.sessions import SignInWay
from gallery.settings import Settings
from gallery.settings_auth import AuthMode, AuthSettings
from gallery.web.app import create_web_app
from tests.fakes.database import THE_ADMINISTRATOR
from tests.fakes.gallery import MemoryGallery
from tests.identity_provider import CLIENT_ID, CLIENT_SECRET, OTHER_RSA, Issuer, identity_provider
from tests.unit.test_app import parts_of

HERE = "http://127.0.0.1:8000"
NOT_CONFIRMED = "The identity provider did not confirm who you are: sign in again."
NOT_BELIEVED = "The token of the identity provider is not to be believed: sign in again."
ANOTHER = "You have come back from somewhere else, or too late: sign in again."


@dataclass(kw_only=True)
class Visit:
    """A gallery that knows the provider, and a browser, which keeps cookies."""

    issuer: Issuer
    gallery: MemoryGallery = field(default_factory=MemoryGallery)
    browser: httpx.AsyncClient = field(default_factory=httpx.AsyncClient)

    def open(self, url: str = HERE, **settings: object) -> None:
        oidc = {"issuer": self.issuer.url, "audience": "gallery", "client_id": CLIENT_ID}
        auth = AuthSettings.model_validate({"mode": AuthMode.OIDC, "oidc": oidc})
        people = replace(self.gallery.people, provider=self.issuer.flow(**settings))
        parts = parts_of(self.gallery)
        parts = replace(parts, settings=Settings(auth=auth), use_cases=replace(parts.use_cases, people=people))
        self.browser = httpx.AsyncClient(transport=httpx.ASGITransport(create_web_app(parts)), base_url=url)

    async def go(self, next_path: str = "/graphql") -> httpx.Response:
        return await self.browser.get("/auth/oidc/login", params={"next": next_path})

    async def come_back(self, url: str) -> httpx.Response:
        opened = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        return await self.browser.get(url, headers=opened)

    async def sign_in(self) -> httpx.Response:
        return await self.come_back(self.issuer.authorize((await self.go()).headers["location"]))

    async def who(self) -> httpx.Response:
        return await self.browser.get("/auth/session")

    async def refused(self, answer: httpx.Response, status: int, problem: str) -> None:
        """Shows that nobody was signed in, and why."""
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert problem in answer.text
        assert not self.gallery.tables.sessions
        assert list(self.gallery.tables.accounts.values()) == [THE_ADMINISTRATOR]
        assert (await self.who()).status_code == 401


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    async with identity_provider() as issuer:
        visit = Visit(issuer=issuer)
        visit.open()
        yield visit
        await visit.gallery.authenticator.settle()
        await visit.browser.aclose()


def asked(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


async def test_a_browser_is_sent_with_all_that_the_flow_needs(visit: Visit) -> None:
    answer = await visit.go()

    query = asked(answer.headers["location"])
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{visit.issuer.url}/authorize?tenant=1&")
    assert {name: query.pop(name) for name in ("state", "nonce", "code_challenge")}.keys()
    assert query == {
        "tenant": "1",
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": f"{HERE}/auth/oidc/callback",
        "scope": "openid profile groups",
        "code_challenge_method": "S256",
    }
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith("gallery_session_visit=")
    assert "; HttpOnly; Max-Age=600; Path=/; SameSite=lax" in cookie


async def test_who_comes_back_has_a_session_and_an_account(visit: Visit) -> None:
    answer = await visit.come_back(visit.issuer.authorize((await visit.go("/graphql?x=1")).headers["location"]))

    assert (answer.status_code, answer.headers["location"]) == (303, "/graphql?x=1")
    [session] = visit.gallery.tables.sessions.values()
    account = visit.gallery.tables.accounts[session.account_id]
    assert session.way is SignInWay.PROVIDER
    assert (account.name, account.kind, account.role) == ("Ada", AccountKind.PERSON, Role.EDITOR)
    assert (account.issuer, account.subject) == (visit.issuer.url, "ada-1")
    assert (await visit.who()).json()["account"]["name"] == "Ada"
    assert "gallery_session_visit" not in visit.browser.cookies
    [(header, form)] = visit.issuer.given_forms
    assert (header or "").startswith("Basic ")
    assert CLIENT_SECRET not in form.values()


async def test_who_comes_again_has_a_new_session_in_place_of_the_old(visit: Visit) -> None:
    await visit.sign_in()
    [first] = visit.gallery.tables.sessions

    await visit.sign_in()

    [second] = visit.gallery.tables.sessions
    assert second != first
    assert len(visit.gallery.tables.accounts) == 2


async def test_each_visit_has_secrets_of_its_own(visit: Visit) -> None:
    first, second = [asked((await visit.go()).headers["location"]) for _ in range(2)]

    assert not [name for name in ("state", "nonce", "code_challenge") if first[name] == second[name]]
    assert len({first["state"], first["nonce"], first["code_challenge"]}) == 3


async def test_the_page_leads_there(visit: Visit) -> None:
    page = await visit.browser.get("/auth/login", params={"next": "/graphql?x=1"})

    assert '<a href="/auth/oidc/login?next=%2Fgraphql%3Fx%3D1">' in page.text


@pytest.mark.parametrize("there", ["https://evil.example/", "//evil.example", "/" + "a" * 1500])
async def test_nobody_is_led_anywhere_else_afterwards(visit: Visit, there: str) -> None:
    answer = await visit.come_back(visit.issuer.authorize((await visit.go(there)).headers["location"]))

    assert (answer.status_code, answer.headers["location"]) == (303, "/graphql")


async def test_a_client_without_a_secret_shows_none(visit: Visit) -> None:
    visit.issuer.is_public = True
    visit.open(client_secret=None)

    assert (await visit.sign_in()).status_code == 303
    [(header, form)] = visit.issuer.given_forms
    assert header is None
    assert form["client_id"] == CLIENT_ID
    assert "client_secret" not in form


async def test_a_provider_that_wants_the_secret_in_the_form_gets_it_there(visit: Visit) -> None:
    visit.issuer.also_told = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

    assert (await visit.sign_in()).status_code == 303
    [(header, form)] = visit.issuer.given_forms
    assert (header, form["client_secret"]) == (None, CLIENT_SECRET)


# What is tried with visits


async def test_who_has_not_gone_does_not_come_back(visit: Visit) -> None:
    """Another browser was sent, whose address somebody passes on: to be signed in as somebody else harms, too."""
    back = visit.issuer.authorize((await visit.go()).headers["location"])
    visit.browser.cookies.clear()

    await visit.refused(await visit.come_back(back), 400, ANOTHER)
    assert visit.issuer.given_forms == []


@pytest.mark.parametrize(
    "sent_back",
    [{"state": "another"}, {"state": ""}, {"iss": "https://other.example"}],
    ids=["state", "no state", "issuer"],
)
async def test_another_state_or_issuer_is_refused_before_the_code_is_used(
    visit: Visit, sent_back: dict[str, str]
) -> None:
    visit.issuer.sent_back = sent_back

    await visit.refused(await visit.sign_in(), 400, ANOTHER)
    assert visit.issuer.given_forms == []


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c", "a.b.c.d.e", "a.b.c.x", "a.b.c._w=="])
async def test_a_cookie_that_is_none_is_no_visit(visit: Visit, cookie: str) -> None:
    visit.browser.cookies.set("gallery_session_visit", cookie, domain="127.0.0.1")

    answer = await visit.come_back("/auth/oidc/callback?code=x&state=a")

    await visit.refused(answer, 400, ANOTHER)


async def test_a_visit_ends_once(visit: Visit) -> None:
    back = visit.issuer.authorize((await visit.go()).headers["location"])
    await visit.come_back(back)

    assert (await visit.come_back(back)).status_code == 400
    assert len(visit.issuer.given_forms) == 1


async def test_a_code_of_another_visit_is_refused_by_the_provider(visit: Visit) -> None:
    stolen = parse_qs(urlsplit(visit.issuer.authorize((await visit.go()).headers["location"])).query)["code"][0]
    own = urlsplit((await visit.go()).headers["location"])
    back = urlencode({"code": stolen, "state": asked(own.geturl())["state"]})

    await visit.refused(await visit.come_back(f"/auth/oidc/callback?{back}"), 401, NOT_CONFIRMED)


@pytest.mark.parametrize("sent_back", [{"code": ""}, {"code": "x" * 4097}], ids=["none", "long"])
async def test_without_a_code_the_provider_is_not_asked(visit: Visit, sent_back: dict[str, str]) -> None:
    visit.issuer.sent_back = {**sent_back, "error": "access_denied"}

    await visit.refused(await visit.sign_in(), 401, "The identity provider did not sign you in.")
    assert visit.issuer.given_forms == []


@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ({"nonce": "another"}, NOT_BELIEVED),
        ({"nonce": None}, NOT_BELIEVED),
        ({"nonce": 7}, NOT_BELIEVED),
        ({"aud": "gallery"}, NOT_BELIEVED),
        ({"aud": [CLIENT_ID, "other"], "azp": "other"}, NOT_BELIEVED),
        ({"iss": "https://other.example"}, NOT_BELIEVED),
        ({"key": OTHER_RSA}, NOT_BELIEVED),
        ({"exp": 1}, "The token of the identity provider has expired: sign in again."),
        ({"groups": []}, "The identity provider gives you no role in this gallery."),
    ],
    ids=["nonce", "no nonce", "number", "audience", "party", "issuer", "key", "expired", "no role"],
)
async def test_an_id_token_is_looked_at_as_every_token_is(
    visit: Visit, claims: dict[str, object], problem: str
) -> None:
    visit.issuer.id_claims = claims

    await visit.refused(await visit.sign_in(), 401, problem)


async def test_an_id_token_for_several_names_the_gallery(visit: Visit) -> None:
    visit.issuer.id_claims = {"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID}

    assert (await visit.sign_in()).status_code == 303


async def test_a_wrong_secret_signs_nobody_in(visit: Visit) -> None:
    visit.open(client_secret="a wrong one")

    await visit.refused(await visit.sign_in(), 401, NOT_CONFIRMED)


@pytest.mark.parametrize("status", [500, 503])
async def test_a_provider_that_fails_is_told_apart_from_one_that_refuses(visit: Visit, status: int) -> None:
    visit.issuer.token_status = status

    await visit.refused(await visit.sign_in(), 503, "The identity provider does not answer at the moment.")


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("status", 500), ("named", "https://other.example"), ("also_told", {"authorization_endpoint": "ftp://x"})],
    ids=["away", "another", "no TLS"],
)
async def test_nobody_is_sent_to_a_provider_that_does_not_tell_where(
    visit: Visit, attribute: str, value: object
) -> None:
    setattr(visit.issuer, attribute, value)

    answer = await visit.go()

    assert answer.status_code == 503
    assert "location" not in answer.headers
    assert "The identity provider does not answer at the moment." in answer.text


async def test_without_tls_nobody_is_sent_from_elsewhere(visit: Visit) -> None:
    visit.open("http://photos.example")

    answer = await visit.go()

    assert answer.status_code in {403, 421}
    assert "location" not in answer.headers
    assert visit.issuer.asked == []
