"""`gallery account` beside a running server, and people who sign in to it: as programs do, and in a real Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.chromium import chromium
from tests.e2e.gallery_server import Ended, GalleryServer, run_gallery, serving
from tests.e2e.node_clients import run_script
from tests.e2e.places import Place

MODE = {"GALLERY_AUTH__MODE": "token", "GALLERY_WORKER__EMBEDDED": "false"}
PASSWORD = "correct horse battery"
STATS = {"query": "{ stats { tagCount } }"}
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A server that wants to know who asks, and the settings by which commands find its gallery."""

    server: GalleryServer
    settings: Mapping[str, str]

    async def account(self, *arguments: str, typed: str | None = None) -> Ended:
        return await run_gallery("account", *arguments, settings=self.settings, typed=typed)

    async def made(self, name: str = "ada") -> None:
        ended = await self.account("create", name, "--role", "editor", "--password-stdin", typed=f"{PASSWORD}\n")
        assert (ended.exit_code, ended.output) == (0, f"The account {name} (editor) is there.\n"), ended.complaints

    def browser(self) -> httpx.AsyncClient:
        """A client that keeps cookies, as pages of the gallery do."""
        return httpx.AsyncClient(base_url=self.server.url, headers={"Origin": self.server.url})

    async def signed_in(self, browser: httpx.AsyncClient, password: str = PASSWORD) -> httpx.Response:
        return await browser.post("/auth/login", json={"name": "ada", "password": password})


@pytest.fixture
async def guarded(place: Place, folder: Path) -> AsyncIterator[Guarded]:
    settings = {**place.settings, **MODE}
    async with serving(folder / "log", settings=settings) as (server, _):
        yield Guarded(server=server, settings=settings)


async def until_refused(browser: httpx.AsyncClient) -> None:
    """Waits until the running server has noticed what a command did."""
    async with asyncio.timeout(30):
        while (await browser.post("/graphql", json=STATS)).status_code != 401:  # noqa: ASYNC110  # a poll
            await asyncio.sleep(_POLL_SECONDS)


async def test_an_account_is_made_used_given_another_password_and_disabled(guarded: Guarded) -> None:
    await guarded.made()
    again = await guarded.account("create", "ADA", "--role", "viewer", "--password-stdin", typed=PASSWORD)
    short = await guarded.account("set-password", "ada", "--password-stdin", typed="short\n")
    assert (again.exit_code, "already" in again.complaints) == (1, True)
    assert (short.exit_code, "at least 12" in short.complaints) == (1, True)

    async with guarded.browser() as browser:
        assert (await browser.post("/graphql", json=STATS)).status_code == 401
        assert (await guarded.signed_in(browser, "another password")).status_code == 401
        assert (await guarded.signed_in(browser)).status_code == 200
        assert (await browser.post("/graphql", json=STATS)).json() == {"data": {"stats": {"tagCount": 0}}}
        sessions = await guarded.account("sessions")
        (line,) = [line for line in sessions.output.splitlines() if line.startswith("ses_")]
        ended = await guarded.account("end-session", line.split()[0])
        assert (ended.exit_code, ended.complaints) == (0, "")
        await until_refused(browser)

        assert (await guarded.signed_in(browser)).status_code == 200
        changed = await guarded.account("set-password", "ada", "--password-stdin", typed="a better password")
        assert changed.output == "The account ada has a new password.\n"
        await until_refused(browser)
        assert (await guarded.signed_in(browser)).status_code == 401
        assert (await guarded.signed_in(browser, "a better password")).status_code == 200

        assert (await guarded.account("disable", "ada")).exit_code == 0
        await until_refused(browser)
        assert (await guarded.signed_in(browser, "a better password")).status_code == 401
        listed = await guarded.account("list")

    (ada,) = [line.split() for line in listed.output.splitlines() if line.startswith("ada ")]
    assert ada[:4] == ["ada", "person", "editor", "yes"]
    log = guarded.server.log_text()
    assert not [secret for secret in (PASSWORD, "a better password", "another password") if secret in log]


async def test_who_signs_in_with_chromium_uses_graphiql_and_signs_out(guarded: Guarded) -> None:
    browser = chromium()
    await guarded.made()

    seen = await run_script("sign-in.mjs", browser, guarded.server.graphql_url, "ada", PASSWORD)

    assert seen["complaints"] == []
    assert seen["refused"] == "The name or the password is wrong."
    assert seen["cookie"] == {"name": "gallery_session", "httpOnly": True, "sameSite": "Lax", "path": "/"}
    assert seen["visibleToScripts"] == ""
    assert seen["answer"] == {"data": {"viewer": {"name": "ada", "role": "EDITOR"}}}
    assert seen["after"] == {"cookies": 0, "status": 401, "link": "Sign in"}
