"""`gallery token` beside a running server that wants to know who asks."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.api import Api
from tests.e2e.gallery_server import Ended, GalleryServer, run_gallery, serving
from tests.e2e.places import Place
from tests.identity_provider import identity_provider

MODE = {"GALLERY_AUTH__MODE": "token", "GALLERY_WORKER__EMBEDDED": "false"}
SECRET = re.compile(r"gal_[0-9a-z]{8}_[0-9A-Za-z_-]{49}")
TAG = 'mutation { createTag(input: {name: "sea"}) { tag { name } errors { code } } }'
STATS = "{ stats { tagCount } }"
_POLL_SECONDS = 0.1
_POLL_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A server that wants a token, and the settings by which commands find its gallery."""

    server: GalleryServer
    api: Api
    settings: Mapping[str, str]

    async def token(self, *arguments: str) -> Ended:
        return await run_gallery("token", *arguments, settings=self.settings)

    async def made(self, *arguments: str) -> str:
        """The secret of a new token."""
        ended = await self.token("create", *arguments, "--quiet")
        assert (ended.exit_code, ended.complaints) == (0, "")
        assert SECRET.fullmatch(ended.output.rstrip("\n")), ended.output
        return ended.output.rstrip("\n")

    async def ask(self, document: str, secret: str | None = None) -> httpx.Response:
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        return await self.api.http.post("/graphql", json={"query": document}, headers=headers)


@pytest.fixture
async def guarded(place: Place, folder: Path) -> AsyncIterator[Guarded]:
    settings = {**place.settings, **MODE}
    async with serving(folder / "log", settings=settings) as (server, api):
        yield Guarded(server=server, api=api, settings=settings)


async def test_a_token_is_made_used_listed_and_revoked_while_the_server_runs(guarded: Guarded) -> None:
    assert (await guarded.ask(STATS)).status_code == 401

    secret = await guarded.made(
        "ci", "--role", "contributor", "--scope", "upload", "--scope", "read", "--expires", "30d"
    )
    added = await guarded.ask(TAG, secret)
    read = await guarded.ask(STATS, secret)
    listed = await until_used(guarded, secret)
    revoked = await guarded.token("revoke", secret[4:12])

    assert added.json()["data"]["createTag"] == {"tag": {"name": "sea"}, "errors": []}
    assert read.json() == {"data": {"stats": {"tagCount": 1}}}
    assert "contributor +read +upload" in listed
    assert (revoked.exit_code, revoked.output) == (0, f"The token gal_{secret[4:12]}… (ci) is revoked.\n")
    await until_refused(guarded, secret)
    assert secret[4:12] not in (await guarded.token("list")).output
    assert secret[13:] not in guarded.server.log_text()


async def until_used(guarded: Guarded, secret: str) -> str:
    """The line of the token in the list, once its use is noted."""
    line = ""
    for _ in range(_POLL_LIMIT):
        (line,) = [line for line in (await guarded.token("list")).output.splitlines() if secret[4:12] in line]
        if not line.rstrip().endswith("never"):
            return line
    raise AssertionError(line)


async def until_refused(guarded: Guarded, secret: str) -> None:
    for _ in range(_POLL_LIMIT):
        if (await guarded.ask(STATS, secret)).status_code == 401:
            return
        await asyncio.sleep(_POLL_SECONDS)
    message = "the token is taken still"
    raise AssertionError(message)


async def test_a_token_says_what_it_may_and_until_when(guarded: Guarded) -> None:
    ended = await guarded.token("create", "frame", "--role", "viewer", "--expires", "2999-01-31")

    first, second = ended.output.splitlines()
    assert first == "A token of frame: viewer, until 2999-01-31 00:00:00 UTC. Nobody can read it again:"
    assert (await guarded.ask(STATS, second.strip())).status_code == 200
    forbidden = (await guarded.ask(TAG, second.strip())).json()["errors"]
    assert [error["extensions"]["code"] for error in forbidden] == ["FORBIDDEN"]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "complaint"),
    [
        (["create", "x"], 2, "--role"),
        (["create", "x", "--role", "owner"], 2, "owner"),
        (["create", "x", "--role", "viewer", "--expires", "soon"], 2, "--expires takes a time such as 30d"),
        (["create", "x", "--role", "viewer", "--expires", "2020-01-01"], 1, "would have expired already"),
        (["create", "", "--role", "viewer"], 1, "The name is empty."),
        (["revoke", "00000000"], 1, "There is no such token."),
    ],
    ids=["no role", "role", "expiry", "expired", "name", "unknown"],
)
async def test_what_is_wrong_is_told_in_a_sentence(
    place: Place, arguments: list[str], exit_code: int, complaint: str
) -> None:
    ended = await run_gallery("token", *arguments, settings=place.settings)

    assert (ended.exit_code, ended.output) == (exit_code, "")
    assert complaint in ended.complaints
    assert "Traceback" not in ended.complaints


async def test_the_first_start_prints_an_administrators_token_and_no_other_does(place: Place, folder: Path) -> None:
    settings = {**place.settings, **MODE}
    async with serving(folder / "first", settings=settings) as (server, api):
        (line,) = [line for line in server.log_text().splitlines() if SECRET.search(line)]
        secret = line.rpartition(" ")[2]
        answer = await api.http.post(
            "/graphql", json={"query": "{ viewer { name role } }"}, headers={"Authorization": f"Bearer {secret}"}
        )
    async with serving(folder / "second", settings=settings) as (server, _):
        again = server.log_text()

    assert line == f"gallery: The first administrator's token, shown only this once: {secret}"
    assert answer.json()["data"] == {"viewer": {"name": "administrator", "role": "ADMINISTRATOR"}}
    assert SECRET.search(again) is None


async def test_where_a_token_is_needed_the_server_may_listen_anywhere(place: Place, folder: Path) -> None:
    async with serving(folder / "log", "--host", "127.0.0.2", settings={**place.settings, **MODE}) as (server, api):
        assert server.url.startswith("http://127.0.0.2:")
        assert (await api.http.post("/graphql", json={"query": STATS})).status_code == 401
        assert "WARNING" not in server.log_text()


async def test_people_of_an_identity_provider_are_known_by_its_tokens(place: Place, folder: Path) -> None:
    async with identity_provider() as issuer:
        settings = {
            **place.settings,
            **MODE,
            "GALLERY_AUTH__MODE": "oidc",
            "GALLERY_AUTH__OIDC__ISSUER": issuer.url,
            "GALLERY_AUTH__OIDC__AUDIENCE": "gallery",
            "GALLERY_AUTH__OIDC__EDITORS": "photo-editors",
        }
        now = int(time.time())
        good = issuer.signed(iat=now, exp=now + 300)
        async with serving(folder / "log", settings=settings) as (server, api):
            guarded = Guarded(server=server, api=api, settings=settings)
            known = await guarded.ask("{ viewer { name kind role } }", good)
            forged = await guarded.ask(STATS, good[:-4] + "AAAA")
            token = await guarded.ask(STATS, await guarded.made("ci", "--role", "viewer"))

    assert known.json()["data"] == {"viewer": {"name": "Ada", "kind": "PERSON", "role": "EDITOR"}}
    assert (forged.status_code, token.status_code) == (401, 200)
