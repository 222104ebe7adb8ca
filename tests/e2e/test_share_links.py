"""Share links of a gallery that several processes serve: what a stranger with a browser gets, and no longer gets."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pyvips

from gallery.platform.database.engine import driver_dsn
from tests.e2e.api import Api
from tests.e2e.gallery_server import GalleryServer, serving
from tests.e2e.places import Place
from tests.e2e.processes import TWO, clients_of_each
from tests.photographs import CAMERA_MAKER, jpeg

MODE = {**TWO, "GALLERY_AUTH__MODE": "token"}
SECRET = re.compile(r"gal_[0-9a-z]{8}_[0-9A-Za-z_-]{49}")
OPEN = """
query ($token: String!, $password: String) {
  sharedLink(token: $token, password: $password) { title images { nodes { id url thumbnails { small { url } } } } }
}
"""
PASSWORD = "correct horse"
CAMERA = CAMERA_MAKER.encode()
PLACE = b"taken at home"
STATE = "SELECT open_count, guesses FROM share_links"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A link to an album of one photograph, its owner, and a stranger at each process."""

    server: GalleryServer
    owner: Api
    here: Api
    there: Api
    link_id: str
    token: str

    async def change(self, **given: object) -> None:
        changed = await self.owner.change("updateShareLink", "UpdateShareLinkInput", "", id=self.link_id, **given)
        assert changed == {"errors": []}


async def opened(stranger: Api, token: str, password: str | None = PASSWORD) -> Any:  # noqa: ANN401  # any JSON
    """What a stranger sees, or the code with which they see nothing."""
    answer = (await stranger.post(OPEN, {"token": token, "password": password})).json()
    return answer["errors"][0]["extensions"]["code"] if "errors" in answer else answer["data"]["sharedLink"]


async def sharing(server: GalleryServer, owner: Api) -> tuple[str, str]:
    """The id and the token of a link with a password to an album of a photograph that was taken somewhere."""
    (secret,) = SECRET.findall(server.log_text())
    owner.http.headers["Authorization"] = f"Bearer {secret}"
    image = (await owner.upload("IMG_2041.jpg", jpeg()))["image"]
    assert (await owner.until_processed(image["id"]))["processing"] == "READY"
    album = await owner.change(
        "createAlbum", "CreateAlbumInput", "album { id }", title="Summer", imageIds=[image["id"]]
    )
    made = await owner.change(
        "createShareLink",
        "CreateShareLinkInput",
        "token shareLink { id }",
        albumId=album["album"]["id"],
        password=PASSWORD,
        allowDownload=True,
    )
    assert made["errors"] == []
    return made["shareLink"]["id"], made["token"]


@asynccontextmanager
async def shared_gallery(place: Place, folder: Path) -> AsyncIterator[Shared]:
    async with (
        serving(folder / "log", settings={**place.settings, **MODE}) as (server, owner),
        clients_of_each(server) as [[here], [there]],
    ):
        link_id, token = await sharing(server, owner)
        yield Shared(server=server, owner=owner, here=here, there=there, link_id=link_id, token=token)


async def state_of_links(place: Place) -> list[tuple[int, int]]:
    """How often each link was opened, and how many guesses of its password count."""
    connection = await asyncpg.connect(driver_dsn(place.database_url))
    try:
        return [tuple(row) for row in await connection.fetch(STATE)]
    finally:
        await connection.close()


async def fetched(stranger: Api, url: str) -> httpx.Response:
    return await stranger.http.get(url)


async def test_a_download_tells_no_place_unless_the_owner_wants_that(place: Place, folder: Path) -> None:
    async with shared_gallery(place, folder) as shared:
        (image,) = (await opened(shared.here, shared.token))["images"]["nodes"]
        stripped = await fetched(shared.there, image["url"])
        original = image["url"].replace("large.webp", "original.jpg")
        refused = await fetched(shared.here, original)
        await shared.change(showMetadata=True)
        (image,) = (await opened(shared.there, shared.token))["images"]["nodes"]
        whole = await fetched(shared.here, image["url"])

        assert jpeg().count(PLACE) == 1
        assert CAMERA in jpeg()
        assert (stripped.status_code, stripped.headers["content-type"]) == (200, "image/webp")
        assert PLACE not in stripped.content
        assert CAMERA not in stripped.content
        assert not [name for name in pyvips.Image.new_from_buffer(stripped.content, "").get_fields() if "exif" in name]
        assert refused.status_code == 404
        assert (whole.status_code, whole.content) == (200, jpeg())
        assert "IMG_2041" not in str(whole.headers)


async def test_a_link_is_closed_everywhere_as_soon_as_it_is_revoked(place: Place, folder: Path) -> None:
    async with shared_gallery(place, folder) as shared:
        (image,) = (await opened(shared.here, shared.token))["images"]["nodes"]
        small = image["thumbnails"]["small"]["url"]
        seen = [(await fetched(stranger, small)).status_code for stranger in (shared.here, shared.there)]
        assert (await opened(shared.there, shared.token))["title"] == "Summer"

        revoked = await shared.owner.change("revokeShareLink", "RevokeShareLinkInput", "", id=shared.link_id)

        assert revoked == {"errors": []}
        assert seen == [200, 200]
        for stranger in (shared.here, shared.there):
            assert await opened(stranger, shared.token) == "NOT_FOUND"
            assert (await fetched(stranger, small)).status_code == 404
        assert shared.token[4:] not in shared.server.log_text()
        assert "/shared/" in shared.server.log_text()


async def test_both_processes_count_guesses_and_openings_together(place: Place, folder: Path) -> None:
    async with shared_gallery(place, folder) as shared:
        for stranger in (shared.here, shared.there):
            for _ in range(3):
                assert (await opened(stranger, shared.token))["title"] == "Summer"
        for number in range(5):
            for stranger in (shared.here, shared.there):
                assert await opened(stranger, shared.token, f"wrong {number}") == "PASSWORD_REQUIRED"
        for stranger in (shared.here, shared.there):
            assert await opened(stranger, shared.token, "wrong again") == "RATE_LIMITED"

    assert await state_of_links(place) == [(6, 10)]
