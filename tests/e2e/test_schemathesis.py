"""Schemathesis asks for whatever the schema allows, and for what it does not: the gallery has no fault to show."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gallery.web.graphql.schema import schema
from tests.e2e.api import Api
from tests.e2e.gallery_server import run_gallery, serving
from tests.e2e.places import Place
from tests.graphql_server import graphql_server, listening
from tests.photographs import jpeg

PROGRAM = Path(sys.executable).with_name("st")
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
MODE = {
    "GALLERY_AUTH__MODE": "token",
    "GALLERY_GRAPHQL__THROTTLING": "off",
    "GALLERY_WORKER__EMBEDDED": "false",
}
ROOT_FIELDS = sum(len(root.fields) for root in (schema._schema.query_type, schema._schema.mutation_type) if root)
CASES = int(os.environ.get("GALLERY_TEST_CASES", "480"))
"""About how many are sent. 2,000 take five minutes on two cores."""
VIEWERS_CASES = CASES // 5
ADMINISTRATORS_CASES = CASES - VIEWERS_CASES
COUNTS = "{ stats { imageCount tagCount albumCount } }"
_LIMIT_SECONDS = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a run of Schemathesis ended: what it asked for and was answered, by operation, and the codes of errors."""

    exit_code: int
    output: str
    asked: Mapping[str, int]
    answered: Mapping[str, int]
    codes: Mapping[str, int]


async def schemathesis(url: str, cases: int, folder: Path, *, secret: str | None = None, ids: str = "img_0") -> Run:
    """Runs so many cases for each operation. They are the same every time, as far as the server is."""
    facts = folder / "facts.json"
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        *("run", url, "--max-examples", str(cases), "--mode", "all", "--phases", "fuzzing", "--seed", "1"),
        *("--checks", "no_fault", "--continue-on-failure", "--no-shrink", "--suppress-health-check", "all"),
        *("--warnings", "off", *(() if secret is None else ("--header", f"Authorization: Bearer {secret}"))),
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(HOOKS.parent),
            "SCHEMATHESIS_HOOKS": HOOKS.stem,
            "IDS": ids,
            "FACTS": str(facts),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    assert facts.exists(), output.decode()
    return Run(exit_code=process.returncode, output=output.decode(), **json.loads(facts.read_text()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A server that wants a token, with something in it."""

    url: str
    api: Api
    settings: Mapping[str, str]
    ids: str

    async def token(self, role: str) -> str:
        ended = await run_gallery("token", "create", role, "--role", role, "--quiet", settings=self.settings)
        assert ended.exit_code == 0, ended.complaints
        return ended.output.strip()

    async def counts(self, secret: str) -> dict[str, Any]:
        answer = await self.api.http.post(
            "/graphql", json={"query": COUNTS}, headers={"Authorization": f"Bearer {secret}"}
        )
        counts: dict[str, Any] = answer.json()["data"]["stats"]
        return counts


@pytest.fixture
async def guarded(place: Place, folder: Path) -> AsyncIterator[Guarded]:
    settings = {**place.settings, **MODE}
    async with serving(folder / "filling", settings=place.settings) as (_, api):
        image = (await api.upload("a.jpg", jpeg(), tags=["sea"]))["image"]["id"]
        album = (await api.change("createAlbum", "CreateAlbumInput", "album { id }", title="Summer"))["album"]["id"]
        tag = (await api.ask("{ tags { nodes { id } } }"))["tags"]["nodes"][0]["id"]
    async with serving(folder / "log", settings=settings) as (server, api):
        yield Guarded(url=server.graphql_url, api=api, settings=settings, ids=f"{image},{album},{tag}")


@pytest.mark.timeout(2 * _LIMIT_SECONDS)  # for as many cases as one likes
async def test_no_case_shows_a_fault(guarded: Guarded, folder: Path) -> None:
    administrator, viewer = await guarded.token("administrator"), await guarded.token("viewer")
    before = await guarded.counts(administrator)

    looked = await schemathesis(guarded.url, VIEWERS_CASES // ROOT_FIELDS, folder, secret=viewer, ids=guarded.ids)
    after = await guarded.counts(administrator)
    ran = await schemathesis(
        guarded.url, ADMINISTRATORS_CASES // ROOT_FIELDS + 1, folder, secret=administrator, ids=guarded.ids
    )

    assert looked.exit_code == 0, looked.output
    assert ran.exit_code == 0, ran.output
    assert len(ran.asked) == len(looked.asked) == ROOT_FIELDS
    assert "UNAUTHENTICATED" not in {*ran.codes, *looked.codes}
    assert "FORBIDDEN" in looked.codes
    assert "FORBIDDEN" not in ran.codes
    assert after == before
    assert {"Query.image", "Query.stats", "Query.viewer", "Mutation.createTag"} <= ran.answered.keys(), ran.answered
    print(f"\n{sum(ran.asked.values()) + sum(looked.asked.values())} cases, {sum(ran.answered.values())} answered")


async def test_a_fault_is_found(folder: Path) -> None:
    async with listening() as listener, graphql_server(listener) as server:
        ran = await schemathesis(f"http://127.0.0.1:{server.port}/graphql", 1, folder)

    assert ran.exit_code == 1, ran.output
    assert "Query.failing" in ran.output
    assert ran.codes["INTERNAL_ERROR"] >= 1
