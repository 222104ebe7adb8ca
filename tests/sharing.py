"""A gallery that wants to know who asks, with an album that is shared, and a stranger at its door."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from gallery.domain.albums import Album
from gallery.domain.images import Image, Rendition, RenditionSize
from gallery.domain.share_links import ShareLink
from gallery.settings import ServerSettings, Settings
from gallery.settings_auth import AuthMode, AuthSettings
from gallery.settings_graphql import GraphQLSettings
from gallery.web.app import create_web_app
from tests.entities import ADA, a_rendition, a_share_link, a_token, an_account, an_album, an_image, checksum_of
from tests.fakes.gallery import MemoryGallery
from tests.fakes.storage import MemoryObject
from tests.unit.test_app import parts_of

EVERYTHING = """
query ($token: String!, $password: String) {
  sharedLink(token: $token, password: $password) {
    title
    description
    expiresAt
    downloadAllowed
    images {
      totalCount
      nodes {
        id title description width height url contentType fileSize uploadedAt
        thumbnails { small { url width height } medium { url } large { url } }
      }
    }
  }
}
"""
OWNER = an_account("Ada", id=ADA.id)
HIDDEN_NAME = "IMG_2041_at_home.jpg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """`client` shows nothing; `headers` are those of the owner."""

    gallery: MemoryGallery
    client: httpx.AsyncClient
    headers: Mapping[str, str]
    album: Album
    image: Image
    other: Image
    outside: Image

    def link(self, **fields: object) -> tuple[ShareLink, str]:
        """A link of the owner's, to the album unless something else is said."""
        link, token = a_share_link(**{"album_id": self.album.id, "made_by": OWNER.id} | fields)
        self.gallery.tables.share_links[link.id] = link
        return link, token

    async def ask(self, document: str, headers: Mapping[str, str] | None = None, **variables: Any) -> httpx.Response:  # noqa: ANN401  # any JSON
        """What a stranger is answered, or whoever the headers show."""
        body = {"query": document, "variables": variables}
        return await self.client.post("/graphql", json=body, headers=dict(headers or {}))

    async def shown(self, token: str, **variables: Any) -> Any:  # noqa: ANN401  # any JSON
        """All that a stranger is shown by a link."""
        answer = await self.ask(EVERYTHING, token=token, **variables)
        assert answer.status_code == 200
        assert "errors" not in answer.json()
        return answer.json()["data"]["sharedLink"]

    async def code(self, token: str, **variables: Any) -> str:  # noqa: ANN401  # any JSON
        """The code with which a stranger is refused, who is shown nothing."""
        answer = await self.ask(EVERYTHING, token=token, **variables)
        assert (answer.status_code, answer.json()["data"]) == (200, {"sharedLink": None})
        (error,) = answer.json()["errors"]
        return str(error["extensions"]["code"])

    def rendered(self, image: Image) -> Image:
        """An image with all its renditions, whose bytes tell which they are."""
        renditions = tuple(self._rendition(image, size) for size in RenditionSize)
        self.gallery.tables.renditions[image.id] = renditions
        content = b"original with GPS in it"
        found = replace(image, file_size_bytes=len(content), checksum=checksum_of(content))
        self.gallery.holds(found)
        self.gallery.storage.objects[image.storage_path] = MemoryObject(content=content, content_type="image/jpeg")
        return found

    def _rendition(self, image: Image, size: RenditionSize) -> Rendition:
        content = f"{size} of {image.id}".encode()
        rendition = replace(a_rendition(image, size), file_size_bytes=len(content), checksum=checksum_of(content))
        self.gallery.storage.objects[rendition.storage_path] = MemoryObject(content=content, content_type="image/webp")
        return rendition


@asynccontextmanager
async def sharing(*, suggestions: str = "auto", **server: str) -> AsyncIterator[Sharing]:
    gallery = MemoryGallery()
    album = an_album(title="Summer", description="By the sea")
    image = an_image(title=HIDDEN_NAME.removesuffix(".jpg"), original_filename=HIDDEN_NAME, description="A harbour")
    other, outside = an_image(title="Beach"), an_image(title="Elsewhere")
    gallery.holds(album, image, other, outside)
    gallery.put_in_album(album, image, other)
    token, secret = a_token(OWNER)
    gallery.tables.accounts[OWNER.id] = OWNER
    gallery.tables.tokens[token.id] = token
    settings = Settings(
        auth=AuthSettings(mode=AuthMode.TOKEN),
        graphql=GraphQLSettings.model_validate({"suggestions": suggestions}),
        server=ServerSettings.model_validate(server),
    )
    app = create_web_app(replace(parts_of(gallery), settings=settings))
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        found = Sharing(
            gallery=gallery,
            client=client,
            headers={"Authorization": f"Bearer {secret}"},
            album=album,
            image=image,
            other=other,
            outside=outside,
        )
        found.rendered(image)
        yield found
        await gallery.shared.settle()
        await gallery.authenticator.settle()
