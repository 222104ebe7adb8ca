"""Share links in memory: the repository of a unit of work, the reader, and what links to albums show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from gallery.domain.access import may_pass_on
from gallery.domain.accounts import Account
from gallery.domain.errors import NotFoundError, UnavailableError
from gallery.domain.events import EntityKind
from gallery.domain.ids import AlbumId, ImageId, ShareLinkId, UserId
from gallery.domain.images import Image
from gallery.domain.pages import Edge, Page, PageRequest, Position
from gallery.domain.share_link_ports import Opened
from gallery.domain.share_links import GuessLimit, ShareLink
from tests.fakes.database import MemoryDatabase, Tables, Transaction
from tests.fakes.pages import page_of

MOST = 1_000


class MemoryShareLinkRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, link_id: ShareLinkId) -> ShareLink:
        await self._transaction.lock(link_id)
        if (link := _links(self._transaction.tables).get(link_id)) is None:
            raise NotFoundError.of(EntityKind.LINK)
        return link

    async def count_usable(self, made_by: UserId, now: datetime) -> int:
        links = _links(self._transaction.tables).values()
        return sum(link.made_by == made_by and link.is_usable(now) for link in links)

    async def add(self, link: ShareLink) -> None:
        tables = self._transaction.tables
        if link.album_id is not None and link.album_id not in tables.albums:
            raise NotFoundError.of(EntityKind.ALBUM)
        if link.image_id is not None and link.image_id not in tables.images:
            raise NotFoundError.of(EntityKind.IMAGE)
        self._put(link)

    async def save(self, link: ShareLink) -> None:
        before = await self.get(link.id)
        self._put(replace(link, open_count=before.open_count, last_opened_at=before.last_opened_at))

    async def note_opened(self, opened: Mapping[ShareLinkId, Opened]) -> None:
        for link_id in sorted(opened):
            await self._transaction.lock(link_id)

        def change(tables: Tables) -> None:
            for link_id, more in opened.items():
                if (link := tables.share_links.get(link_id)) is not None:
                    last = max(link.last_opened_at or more.last_at, more.last_at)
                    count = link.open_count + more.count
                    tables.share_links[link_id] = replace(link, open_count=count, last_opened_at=last)

        self._transaction.change(change)

    async def take_guess(self, link_id: ShareLinkId, now: datetime, limit: GuessLimit) -> datetime | None:
        await self.get(link_id)
        guesses, since = self._transaction.tables.guesses.get(link_id, (0, now))
        if since <= now - limit.period:
            guesses, since = 0, now
        if guesses >= limit.guesses:
            return since + limit.period
        self._set_guesses(link_id, guesses + 1, since)
        return None

    async def return_guess(self, link_id: ShareLinkId) -> None:
        await self._transaction.lock(link_id)
        if link_id in self._transaction.tables.guesses:
            guesses, since = self._transaction.tables.guesses[link_id]
            self._set_guesses(link_id, max(0, guesses - 1), since)

    def _set_guesses(self, link_id: ShareLinkId, guesses: int, since: datetime) -> None:
        self._transaction.change(lambda tables: tables.guesses.update({link_id: (guesses, since)}))

    def _put(self, link: ShareLink) -> None:
        self._transaction.change(lambda tables: tables.share_links.update({link.id: link}))


class MemoryShareLinkReader:
    """Counts how often it is asked, and how often for a token."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.lookups = 0
        self.reads = 0

    async def find_by_digest(self, digest: bytes) -> tuple[ShareLink, Account] | None:
        self.lookups += 1
        for link in self._unrevoked(lambda link: link.digest == digest, revoked=True):
            return link, self._database.committed.accounts[link.made_by]
        return None

    async def made_by(self, account_id: UserId) -> tuple[ShareLink, ...]:
        return self._unrevoked(lambda link: link.made_by == account_id)

    async def of_album(self, album_id: AlbumId) -> tuple[ShareLink, ...]:
        return self._unrevoked(lambda link: link.album_id == album_id)

    async def of_image(self, image_id: ImageId) -> tuple[ShareLink, ...]:
        return self._unrevoked(lambda link: link.image_id == image_id)

    def _unrevoked(self, is_meant: Callable[[ShareLink], bool], *, revoked: bool = False) -> tuple[ShareLink, ...]:
        self.reads += 1
        if self._database.unavailable:
            service = "database"
            raise UnavailableError(service)
        links = _links(self._database.committed).values()
        found = [link for link in links if is_meant(link) and (revoked or link.revoked_at is None)]
        return tuple(sorted(found, key=lambda link: (link.created_at, link.id), reverse=True)[:MOST])


class MemoryLinkedImageReader:
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def page(self, album_id: AlbumId, page: PageRequest) -> Page[Image]:
        tables = self._database.committed
        places = ((image, tables.album_images[album_id, image.id]) for image in self._shown(album_id))
        return page_of((Edge(image, Position(place, image.id)) for image, place in places), page)

    async def count(self, album_id: AlbumId) -> int:
        return len(self._shown(album_id))

    async def find(self, album_id: AlbumId, image_id: ImageId) -> Image | None:
        return next((image for image in self._shown(album_id) if image.id == image_id), None)

    def _shown(self, album_id: AlbumId) -> list[Image]:
        tables = self._database.committed
        members = [tables.images[id_] for id_ in tables.members(album_id)]
        return [one for one in members if may_pass_on(one, is_offered=(album_id, one.id) in tables.offered)]


def _links(tables: Tables) -> dict[ShareLinkId, ShareLink]:
    """The links there are: those to an album go with it."""
    return {id_: link for id_, link in tables.share_links.items() if link.album_id in {None, *tables.albums}}
