"""A gallery that executes trusted documents alone, as a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from gallery.client import documents
from tests.e2e.gallery_server import run_gallery, serving
from tests.e2e.places import Place
from tests.photographs import jpeg

COUNT = "{ stats { imageCount } }"
BROWSER = {"Accept": "text/html,*/*;q=0.8"}


def settings_with(manifest: Path, content: object) -> dict[str, str]:
    manifest.write_text(json.dumps(content))
    return {"GALLERY_GRAPHQL__TRUSTED_DOCUMENTS": str(manifest), "GALLERY_GRAPHQL__ONLY_TRUSTED": "true"}


async def test_nothing_but_trusted_documents_can_be_got_from_it(place: Place, folder: Path) -> None:
    settings = {**place.settings, **settings_with(folder / "manifest.json", {"count": COUNT})}
    async with serving(folder / "log", settings=settings) as (_, api):
        by_id = await api.http.post("/graphql", json={"documentId": "count"})
        other = await api.http.post("/graphql", json={"query": "{ __typename }"})
        page = await api.http.get("/graphql", headers=BROWSER)
        schema = await api.http.get("/schema.graphql")

    assert by_id.json() == {"data": {"stats": {"imageCount": 0}}}
    assert _codes(other) == ["DOCUMENT_NOT_TRUSTED"]
    assert "html" not in page.headers["content-type"]
    assert schema.status_code == 404


async def test_a_folder_is_imported_where_the_documents_of_the_client_are_trusted(place: Place, folder: Path) -> None:
    of_client = {name: text for name, text in vars(documents).items() if name.isupper() and not name.startswith("_")}
    settings = {**place.settings, **settings_with(folder / "manifest.json", {**of_client, "count": COUNT})}
    photographs = folder / "photographs"
    photographs.mkdir()
    (photographs / "harbour.jpg").write_bytes(jpeg(64, 48))
    async with serving(folder / "log", settings=settings) as (server, api):
        ended = await run_gallery("import", photographs, "--to", server.url, "--tag", "sea", "--album", "Summer")
        counted = await api.http.post("/graphql", json={"documentId": "count"})

    assert ended.exit_code == 0, ended.complaints
    assert counted.json() == {"data": {"stats": {"imageCount": 1}}}


async def test_a_wrong_document_stops_the_start_before_anything_is_started(folder: Path) -> None:
    settings = settings_with(folder / "manifest.json", {"count": "{ nothing }"})
    ended = await run_gallery("serve", "--data-dir", folder / "data", settings=settings)

    assert ended.exit_code == 1
    assert ended.complaints == (
        f'gallery: {folder}/manifest.json: "count" is not valid (line 1): '
        "Cannot query field 'nothing' on type 'Query'.\n"
    )
    assert not (folder / "data").exists()


def _codes(answer: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in answer.json()["errors"]]
