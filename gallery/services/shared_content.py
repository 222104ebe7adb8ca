"""What somebody with a share link sees, whoever they are."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from gallery.domain.access import Viewer, may_show
from gallery.domain.accounts import digest_of
from gallery.domain.albums import Album
from gallery.domain.errors import NotFoundError
from gallery.domain.ids import ImageId
from gallery.domain.images import Image, Rendition
from gallery.domain.pages import Edge, Page, PageRequest, Position
from gallery.domain.ports import AlbumReader, Clock, ImageReader
from gallery.domain.share_link_ports import LinkedImageReader, ShareLinkReader
from gallery.domain.share_links import ShareLink, is_share_token
from gallery.services.clock import utc_now
from gallery.services.link_openings import LinkOpenings
from gallery.services.link_passwords import LinkPasswords

LOOKUPS_AT_ONCE: Final = 4
"""How many tokens are looked for at once: whoever makes them up takes no more connections than these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedLink:
    """A link that is of use, and what it leads to. `viewer` is its maker, who may show it."""

    link: ShareLink
    token: str
    viewer: Viewer
    content: Album | Image
    proof: str | None
    """What addresses of files carry, if the link has a password."""


class SharedContents:
    """Opens share links. A token of no use, whatever the reason, opens nothing: all look the same."""

    def __init__(  # noqa: PLR0913 - all that is read of
        self,
        links: ShareLinkReader,
        images: ImageReader,
        albums: AlbumReader,
        linked: LinkedImageReader,
        *,
        passwords: LinkPasswords,
        openings: LinkOpenings,
        clock: Clock = utc_now,
    ) -> None:
        self._links = links
        self._images = images
        self._albums = albums
        self._linked = linked
        self._passwords = passwords
        self._openings = openings
        self._clock = clock
        self._lookups = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    async def open(self, token: str, password: str | None = None) -> OpenedLink:
        """What a token opens. It is counted.

        Raises:
            NotFoundError: if it opens nothing.
            PasswordRequiredError: if it wants a password, and another one.
            RateLimitedError: if too many wrong ones were given.
        """
        opened, now = await self._find(token), self._clock()
        await self._passwords.check(opened.link, password, now)
        self._openings.note(opened.link.id, now)
        return opened

    async def settle(self) -> None:
        """Waits until everything is counted. Nothing is opened after that."""
        await self._openings.settle()

    async def enter(self, token: str, proof: str) -> OpenedLink:
        """What a token opens, for who asks for files of it. `proof` stands for the password.

        Raises:
            NotFoundError: if it opens nothing, or the proof is none.
        """
        opened = await self._find(token)
        if opened.link.password_hash is not None and not opened.link.is_proof(proof, self._clock()):
            raise _nothing()
        return opened

    async def image_of(self, opened: OpenedLink, image_id: ImageId) -> Image:
        """One of the images that a link leads to.

        Raises:
            NotFoundError: if it does not lead there.
        """
        content = opened.content
        if isinstance(content, Image):
            found = content if content.id == image_id else None
        else:
            found = await self._linked.find(content.id, image_id)
        if found is None:
            raise _nothing()
        return found

    async def page(self, opened: OpenedLink, request: PageRequest) -> Page[Image]:
        """A part of the album that a link leads to, or the one image, which is in the first place of its list."""
        content = opened.content
        if isinstance(content, Image):
            if request.after is not None:
                return Page.of((), has_next=False, has_previous=True)
            return Page.of((Edge(content, Position(1, content.id)),), has_next=False, has_previous=False)
        return await self._linked.page(content.id, request)

    async def count(self, opened: OpenedLink) -> int:
        """How many images a link leads to."""
        content = opened.content
        if isinstance(content, Image):
            return 1
        return await self._linked.count(content.id)

    async def renditions(
        self, opened: OpenedLink, image_ids: Collection[ImageId]
    ) -> dict[ImageId, tuple[Rendition, ...]]:
        """The renditions of images that a link leads to, smallest first; images without any are left out."""
        return await self._images.renditions(opened.viewer, image_ids)

    async def _find(self, token: str) -> OpenedLink:
        """The link of a token, if it is of use, and its maker may still show what it leads to."""
        if not is_share_token(token):
            raise _nothing()
        async with self._lookups:
            found = await self._links.find_by_digest(digest_of(token))
        if found is None:
            raise _nothing()
        (link, maker), now = found, self._clock()
        if not link.is_usable(now) or maker.disabled_at is not None:
            raise _nothing()
        viewer = maker.viewer()
        content = await self._content(viewer, link)
        if content is None or not may_show(viewer, content):
            raise _nothing()
        proof = None if link.password_hash is None else link.proof(now)
        return OpenedLink(link=link, token=token, viewer=viewer, content=content, proof=proof)

    async def _content(self, viewer: Viewer, link: ShareLink) -> Album | Image | None:
        if link.album_id is not None:
            return (await self._albums.get_many(viewer, [link.album_id])).get(link.album_id)
        assert link.image_id is not None  # noqa: S101  # one of the two is there
        return (await self._images.get_many(viewer, [link.image_id])).get(link.image_id)


def _nothing() -> NotFoundError:
    message = "There is nothing to see here. The link may have expired, or been taken back; ask whoever gave it to you."
    return NotFoundError(message)
