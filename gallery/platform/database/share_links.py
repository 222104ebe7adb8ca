"""Share links in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, DateTime, Integer, bindparam, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.accounts import Account
from gallery.domain.errors import NotFoundError
from gallery.domain.events import EntityKind
from gallery.domain.ids import AlbumId, ImageId, ShareLinkId, UserId
from gallery.domain.share_link_ports import Opened
from gallery.domain.share_links import GuessLimit, ShareLink
from gallery.platform.database.rows import (
    ACCOUNT_COLUMNS,
    SHARE_LINK_COLUMNS,
    account_from_row,
    share_link_from_row,
    share_link_values,
)
from gallery.platform.database.statements import Reading, Transaction
from gallery.platform.database.tables import ACCOUNTS, SHARE_LINKS

_COUNTED: Final = ("open_count", "last_opened_at")
_MOST: Final = 1_000

_LINKS: Final = select(*SHARE_LINK_COLUMNS)
_UNREVOKED: Final = (
    _LINKS.where(SHARE_LINKS.c.revoked_at.is_(None))
    .order_by(SHARE_LINKS.c.created_at.desc(), SHARE_LINKS.c.id.desc())
    .limit(_MOST)
)
_BY_DIGEST: Final = (
    select(*SHARE_LINK_COLUMNS, *ACCOUNT_COLUMNS)
    .join_from(SHARE_LINKS, ACCOUNTS)
    .where(SHARE_LINKS.c.digest == bindparam("digest"))
)
_COUNT_USABLE: Final = (
    select(func.count())
    .select_from(SHARE_LINKS)
    .where(
        SHARE_LINKS.c.made_by == bindparam("account"),
        SHARE_LINKS.c.revoked_at.is_(None),
        or_(SHARE_LINKS.c.expires_at.is_(None), SHARE_LINKS.c.expires_at > bindparam("now")),
    )
)
_NOTE_OPENED: Final = (
    update(SHARE_LINKS)
    .where(SHARE_LINKS.c.id == bindparam("of_id"))
    .values(
        open_count=SHARE_LINKS.c.open_count + bindparam("more", type_=Integer),
        last_opened_at=func.greatest(SHARE_LINKS.c.last_opened_at, bindparam("last_at", type_=DateTime(timezone=True))),
    )
)
_IS_NEW_PERIOD: Final = or_(
    SHARE_LINKS.c.guesses_since.is_(None), SHARE_LINKS.c.guesses_since <= bindparam("begun_before")
)
_TAKE_GUESS: Final = (
    update(SHARE_LINKS)
    .where(SHARE_LINKS.c.id == bindparam("of_id"), or_(_IS_NEW_PERIOD, SHARE_LINKS.c.guesses < bindparam("most")))
    .values(
        guesses=case((_IS_NEW_PERIOD, 1), else_=SHARE_LINKS.c.guesses + 1),
        guesses_since=case(
            (_IS_NEW_PERIOD, bindparam("now", type_=DateTime(timezone=True))), else_=SHARE_LINKS.c.guesses_since
        ),
    )
)
_RETURN_GUESS: Final = (
    update(SHARE_LINKS)
    .where(SHARE_LINKS.c.id == bindparam("of_id"), SHARE_LINKS.c.guesses > 0)
    .values(guesses=SHARE_LINKS.c.guesses - 1)
)


class SqlShareLinkRepository:
    """The share links of a transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, link_id: ShareLinkId) -> ShareLink:
        """As the port says."""
        rows = await self._transaction.rows(_LINKS.where(SHARE_LINKS.c.id == link_id).with_for_update())
        if not rows:
            raise NotFoundError.of(EntityKind.LINK)
        return share_link_from_row(rows[0])

    async def count_usable(self, made_by: UserId, now: datetime) -> int:
        """As the port says."""
        rows = await self._transaction.rows(_COUNT_USABLE, {"account": made_by, "now": now})
        return int(rows[0][0])

    async def add(self, link: ShareLink) -> None:
        """As the port says."""
        await self._transaction.run(insert(SHARE_LINKS).values(share_link_values(link)))

    async def save(self, link: ShareLink) -> None:
        """As the port says."""
        values = {name: value for name, value in share_link_values(link).items() if name not in _COUNTED}
        if not await self._transaction.run(update(SHARE_LINKS).where(SHARE_LINKS.c.id == link.id).values(values)):
            raise NotFoundError.of(EntityKind.LINK)

    async def note_opened(self, opened: Mapping[ShareLinkId, Opened]) -> None:
        """As the port says. Rows are taken in the order of their ids, so that two who do so do not lock each other."""
        rows = [
            {"of_id": link_id, "more": opened[link_id].count, "last_at": opened[link_id].last_at}
            for link_id in sorted(opened)
        ]
        if rows:
            await self._transaction.run(_NOTE_OPENED, rows)

    async def take_guess(self, link_id: ShareLinkId, now: datetime, limit: GuessLimit) -> datetime | None:
        """As the port says."""
        values = {"of_id": link_id, "now": now, "begun_before": now - limit.period, "most": limit.guesses}
        if await self._transaction.run(_TAKE_GUESS, values):
            return None
        rows = await self._transaction.rows(select(SHARE_LINKS.c.guesses_since).where(SHARE_LINKS.c.id == link_id))
        if not rows:
            raise NotFoundError.of(EntityKind.LINK)
        since: datetime = rows[0][0]
        return since + limit.period

    async def return_guess(self, link_id: ShareLinkId) -> None:
        """As the port says."""
        await self._transaction.run(_RETURN_GUESS, {"of_id": link_id})


class SqlShareLinkReader:
    """As the port says."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._alone = Reading(engine)

    async def find_by_digest(self, digest: bytes) -> tuple[ShareLink, Account] | None:
        """As the port says."""
        rows = await self._alone.rows(_BY_DIGEST, {"digest": digest})
        if not rows:
            return None
        return share_link_from_row(rows[0]), account_from_row(rows[0][len(SHARE_LINK_COLUMNS) :])

    async def made_by(self, account_id: UserId) -> tuple[ShareLink, ...]:
        """As the port says."""
        return await self._unrevoked(SHARE_LINKS.c.made_by == account_id)

    async def of_album(self, album_id: AlbumId) -> tuple[ShareLink, ...]:
        """As the port says."""
        return await self._unrevoked(SHARE_LINKS.c.album_id == album_id)

    async def of_image(self, image_id: ImageId) -> tuple[ShareLink, ...]:
        """As the port says."""
        return await self._unrevoked(SHARE_LINKS.c.image_id == image_id)

    async def _unrevoked(self, condition: ColumnElement[bool]) -> tuple[ShareLink, ...]:
        return tuple(map(share_link_from_row, await self._alone.rows(_UNREVOKED.where(condition))))
