"""What share links need from outside, as Protocols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gallery.domain.accounts import Account
from gallery.domain.ids import AlbumId, ImageId, ShareLinkId, UserId
from gallery.domain.images import Image
from gallery.domain.pages import Page, PageRequest
from gallery.domain.share_links import GuessLimit, ShareLink


@dataclass(frozen=True, slots=True)
class Opened:
    """How often a link was opened, and when last."""

    count: int
    last_at: datetime


class ShareLinkRepository(Protocol):
    """The share links of a unit of work."""

    async def get(self, link_id: ShareLinkId) -> ShareLink:
        """The link, locked until the transaction ends.

        Raises:
            NotFoundError: if there is none.
        """
        ...

    async def count_usable(self, made_by: UserId, now: datetime) -> int:
        """How many links that somebody has made are of use."""
        ...

    async def add(self, link: ShareLink) -> None:
        """Stores a new link.

        Raises:
            NotFoundError: if the album or image is not there.
        """
        ...

    async def save(self, link: ShareLink) -> None:
        """Stores a changed link, but for how often it was opened.

        Raises:
            NotFoundError: if there is none.
        """
        ...

    async def note_opened(self, opened: Mapping[ShareLinkId, Opened]) -> None:
        """Adds to how often links were opened. Those that are not there do not matter."""
        ...

    async def take_guess(self, link_id: ShareLinkId, now: datetime, limit: GuessLimit) -> datetime | None:
        """Counts a guess of the password before it is looked at; None if that may be done.

        Otherwise the limit is reached, and the answer is when the next guess may be made. Of many who guess at once
        none is passed over.
        """
        ...

    async def return_guess(self, link_id: ShareLinkId) -> None:
        """Takes a guess back: it was right."""
        ...


class ShareLinkReader(Protocol):
    """Share links, for looking. Never answered from a cache: a link that was revoked opens nothing any more."""

    async def find_by_digest(self, digest: bytes) -> tuple[ShareLink, Account] | None:
        """The link whose token has this SHA-256, useless ones too, and the account of its maker."""
        ...

    async def made_by(self, account_id: UserId) -> tuple[ShareLink, ...]:
        """The links that somebody has made and that were not revoked, the newest first; at most 1,000."""
        ...

    async def of_album(self, album_id: AlbumId) -> tuple[ShareLink, ...]:
        """Everybody's links to an album, as `made_by` has them."""
        ...

    async def of_image(self, image_id: ImageId) -> tuple[ShareLink, ...]:
        """Everybody's links to an image, as `made_by` has them."""
        ...


class LinkedImageReader(Protocol):
    """The images that links to albums show: those that `may_pass_on` says. Never answered from a cache."""

    async def page(self, album_id: AlbumId, page: PageRequest) -> Page[Image]:
        """A part of them, in the order of the album; empty if the album is not there."""
        ...

    async def count(self, album_id: AlbumId) -> int:
        """How many they are."""
        ...

    async def find(self, album_id: AlbumId, image_id: ImageId) -> Image | None:
        """One of them; None if the album has no such image, or may not pass it on."""
        ...
