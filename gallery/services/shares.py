"""Sharing albums with people, and taking that back."""

from __future__ import annotations

from dataclasses import dataclass

from gallery.domain.access import Right, Viewer, require
from gallery.domain.accounts import Account
from gallery.domain.albums import Album
from gallery.domain.errors import ErrorCode, InvalidInputError, NotFoundError
from gallery.domain.events import EntityKind, Event, EventKind, JsonValue
from gallery.domain.idempotency import Claim, Snapshot
from gallery.domain.ids import AlbumId, UserId
from gallery.domain.ports import Clock, UnitOfWork, UnitOfWorkFactory
from gallery.domain.shares import MAX_SHARES, AlbumShare, ShareLevel
from gallery.services.clock import utc_now
from gallery.services.idempotency import complete_change
from gallery.services.sight import album_to_show


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An account, by its name, whatever its case, or by its id."""

    name: str | None = None
    id: UserId | None = None


class ShareService:
    """Use cases of sharing."""

    def __init__(self, unit_of_work: UnitOfWorkFactory, clock: Clock = utc_now) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock

    async def share(
        self, viewer: Viewer, album_id: AlbumId, person: Person, level: ShareLevel, claim: Claim | None = None
    ) -> Album:
        """Shares an album with an account, or changes at which level it is. A claim is completed with it.

        Raises:
            NotFoundError: if the viewer sees no such album, or there is no such account.
            ForbiddenError: if the viewer sees the album and does not have it.
            InvalidInputError: if the album is the account's own; TOO_MANY_ITEMS if it is shared with 100 others.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require(viewer, Right.CONTRIBUTE)
        async with self._unit_of_work() as work:
            album = await album_to_show(work, viewer, album_id)
            account = await _found(work, person)
            if account.id == album.owner:
                message = "The album is theirs already."
                raise InvalidInputError(ErrorCode.INVALID_INPUT, message, field=("accountName",))
            shares = {share.account_id: share for share in await work.shares.of_album(album_id)}
            before = shares.get(account.id)
            if before is None and len(shares) >= MAX_SHARES:
                message = f"The album is shared with {MAX_SHARES} accounts; no more are taken."
                raise InvalidInputError(ErrorCode.TOO_MANY_ITEMS, message, field=("albumId",))
            if before is None or before.level is not level:
                await self._save(work, viewer, account, before, album_id, level)
            await complete_change(work, claim, Snapshot(album=album))
            await work.commit()
        return album

    async def unshare(self, viewer: Viewer, album_id: AlbumId, person: Person, claim: Claim | None = None) -> Album:
        """Shares an album with an account no more; if it was not shared with it, that does not matter.

        What the account has put there stays and is shown as its visibility says: the album shows it to nobody by
        itself, as the account may not see the album to take it out. A claim is completed with it.

        Raises:
            NotFoundError: if the viewer sees no such album, or there is no such account.
            ForbiddenError: if the viewer sees the album and does not have it.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require(viewer, Right.CONTRIBUTE)
        async with self._unit_of_work() as work:
            album = await album_to_show(work, viewer, album_id)
            account = await _found(work, person)
            if await work.shares.delete(album_id, account.id):
                await work.albums.withdraw(album_id, account.id)
                await work.events.append(
                    self._event(EventKind.ALBUM_UNSHARED, viewer, album_id, {"account_id": account.id.hex})
                )
            await complete_change(work, claim, Snapshot(album=album))
            await work.commit()
        return album

    async def _save(  # what a share is made of
        self,
        work: UnitOfWork,
        viewer: Viewer,
        account: Account,
        before: AlbumShare | None,
        album_id: AlbumId,
        level: ShareLevel,
    ) -> None:
        share = AlbumShare(
            album_id=album_id,
            account_id=account.id,
            account_name=account.name,
            level=level,
            shared_by=viewer.id,
            shared_at=self._clock(),
        )
        await work.shares.save(share)
        change: dict[str, JsonValue] = {"from": None if before is None else before.level, "to": level}
        payload: dict[str, JsonValue] = {"account_id": account.id.hex, "level": change}
        await work.events.append(self._event(EventKind.ALBUM_SHARED, viewer, album_id, payload))

    def _event(self, kind: EventKind, viewer: Viewer, album_id: AlbumId, payload: dict[str, JsonValue]) -> Event:
        return Event(kind=kind, entity_id=album_id, actor=viewer.id, occurred_at=self._clock(), payload=payload)


async def _found(work: UnitOfWork, person: Person) -> Account:
    """The account that is meant.

    Raises:
        NotFoundError: if there is none.
        InvalidInputError: if it is named in no way, or in two.
    """
    if person.id is not None and person.name is None:
        return await _by_id(work, person.id)
    if person.name is None or person.id is not None:
        message = "Say with whom: give `accountName` or `accountId`, one of them."
        raise InvalidInputError(ErrorCode.INVALID_INPUT, message, field=("accountName",))
    account = await work.accounts.find_by_name(person.name)
    if account is None:
        raise NotFoundError.of(EntityKind.ACCOUNT, field=("accountName",))
    return account


async def _by_id(work: UnitOfWork, account_id: UserId) -> Account:
    try:
        return await work.accounts.get(account_id)
    except NotFoundError as error:
        raise NotFoundError(error.message, field=("accountId",)) from error
