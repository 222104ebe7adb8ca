"""Making share links, listing, changing and revoking them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from gallery.domain.access import Right, Viewer, require
from gallery.domain.accounts import digest_of
from gallery.domain.errors import ErrorCode, ForbiddenError, InvalidInputError, NotFoundError
from gallery.domain.events import EntityKind, Event, EventKind, JsonValue
from gallery.domain.ids import AlbumId, ImageId, ShareLinkId, new_share_link_id
from gallery.domain.password_ports import PasswordHasher
from gallery.domain.ports import Clock, UnitOfWork, UnitOfWorkFactory
from gallery.domain.share_link_ports import ShareLinkReader
from gallery.domain.share_links import (
    ShareLink,
    check_expiry,
    clean_label,
    clean_password,
    new_link_secret,
    new_share_token,
)
from gallery.services.changes import KEEP, Keep, kept
from gallery.services.clock import utc_now
from gallery.services.sight import album_to_show, image_to_show

MAX_USABLE_LINKS: Final = 1_000
"""How many links of use one account may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewShareLink:
    """A link to make, to an album or to an image."""

    album_id: AlbumId | None = None
    image_id: ImageId | None = None
    expires_at: datetime | None = None
    password: str | None = None
    allows_download: bool = False
    shows_metadata: bool = False
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLinkChange:
    """What to change of a link."""

    link_id: ShareLinkId
    expires_at: datetime | Literal[Keep.KEEP] | None = KEEP
    password: str | Literal[Keep.KEEP] | None = KEEP
    allows_download: bool | Literal[Keep.KEEP] = KEEP
    shows_metadata: bool | Literal[Keep.KEEP] = KEEP
    label: str | Literal[Keep.KEEP] | None = KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedShareLink:
    """A new link with its token, which nobody can read again."""

    link: ShareLink
    token: str


class ShareLinkService:
    """Use cases of those who share. Who opens a link meets `SharedContents`."""

    def __init__(
        self, unit_of_work: UnitOfWorkFactory, links: ShareLinkReader, hasher: PasswordHasher, clock: Clock = utc_now
    ) -> None:
        self._unit_of_work = unit_of_work
        self._links = links
        self._hasher = hasher
        self._clock = clock

    async def create(self, viewer: Viewer, new: NewShareLink) -> IssuedShareLink:
        """Makes a link to an album or image of the viewer's own; administrators make one to any.

        Raises:
            InvalidInputError: if a value breaks its rule, or not exactly one thing is named; TOO_MANY_ITEMS if the
                account has 1,000 links.
            NotFoundError: if the viewer sees no such thing.
            ForbiddenError: if they see it and do not have it, or may not both read and contribute.
            UnavailableError: if too many passwords are being hashed.
        """
        _require_rights(viewer)
        _check_one(new.album_id, new.image_id)
        label, now = clean_label(new.label), self._clock()
        check_expiry(new.expires_at, now)
        token = new_share_token()
        link = ShareLink(
            id=new_share_link_id(),
            digest=digest_of(token),
            secret=new_link_secret(),
            album_id=new.album_id,
            image_id=new.image_id,
            made_by=viewer.id,
            label=label,
            allows_download=new.allows_download,
            shows_metadata=new.shows_metadata,
            password_hash=await self._hash(new.password),
            created_at=now,
            expires_at=new.expires_at,
        )
        async with self._unit_of_work() as work:
            await _require_show(work, viewer, new.album_id, new.image_id)
            await work.accounts.get(viewer.id)  # locked: of many who make links at once, all are counted
            if await work.share_links.count_usable(viewer.id, now) >= MAX_USABLE_LINKS:
                message = f"You have {MAX_USABLE_LINKS:,} share links; no more are made. Revoke one first."
                raise InvalidInputError(ErrorCode.TOO_MANY_ITEMS, message)
            await work.share_links.add(link)
            await work.events.append(_event(EventKind.LINK_CREATED, viewer, link, now, _described(link)))
            await work.commit()
        return IssuedShareLink(link=link, token=token)

    async def update(self, viewer: Viewer, change: ShareLinkChange) -> ShareLink:
        """Changes a link to something that the viewer may show. A change that changes nothing is not recorded.

        Raises:
            NotFoundError: if there is no such link, or none of theirs.
            ForbiddenError: if they may not both read and contribute.
            InvalidInputError: if a value breaks its rule.
            UnavailableError: if too many passwords are being hashed.
        """
        _require_rights(viewer)
        now = self._clock()
        label = clean_label(change.label) if isinstance(change.label, str) else change.label
        if isinstance(change.expires_at, datetime):
            check_expiry(change.expires_at, now)
        password_hash = KEEP if change.password is KEEP else await self._hash(change.password)
        found = await self._get(change.link_id)
        async with self._unit_of_work() as work:
            if not await _may_show(work, viewer, found):
                raise NotFoundError.of(EntityKind.LINK)
            before = await work.share_links.get(change.link_id)
            after = replace(
                before,
                label=kept(label, before.label),
                expires_at=kept(change.expires_at, before.expires_at),
                allows_download=kept(change.allows_download, before.allows_download),
                shows_metadata=kept(change.shows_metadata, before.shows_metadata),
            )
            changes = _changes(_described(before), _described(after))
            if password_hash is not KEEP and (password_hash or before.password_hash):
                after = after.with_password(password_hash)
                changes["password"] = "none" if password_hash is None else "another"
            if changes:
                await work.share_links.save(after)
                await work.events.append(_event(EventKind.LINK_UPDATED, viewer, after, now, changes))
                await work.commit()
        return after

    async def revoke(self, viewer: Viewer, link_id: ShareLinkId) -> ShareLink:
        """Makes a link useless: one's own, or one to something that the viewer may show. Again, it does nothing.

        Raises:
            NotFoundError: if there is no such link, or none of theirs.
        """
        require(viewer, Right.READ)
        found = await self._get(link_id)
        async with self._unit_of_work() as work:
            if found.made_by != viewer.id and not await _may_show(work, viewer, found):
                raise NotFoundError.of(EntityKind.LINK)
            link = await work.share_links.get(link_id)
            if link.revoked_at is None:
                now = self._clock()
                link = link.revoked(now)
                await work.share_links.save(link)
                await work.events.append(_event(EventKind.LINK_REVOKED, viewer, link, now, {}))
                await work.commit()
        return link

    async def own(self, viewer: Viewer) -> tuple[ShareLink, ...]:
        """The links that the viewer has made and that were not revoked, the newest first."""
        require(viewer, Right.READ)
        return await self._links.made_by(viewer.id)

    async def of(
        self, viewer: Viewer, *, album_id: AlbumId | None = None, image_id: ImageId | None = None
    ) -> tuple[ShareLink, ...]:
        """Everybody's links to an album or image that the viewer may show; not those that were revoked.

        Raises:
            InvalidInputError: if not exactly one thing is named.
            NotFoundError: if the viewer sees no such thing.
            ForbiddenError: if they see it and do not have it, or may not both read and contribute.
        """
        _require_rights(viewer)
        _check_one(album_id, image_id)
        async with self._unit_of_work() as work:
            await _require_show(work, viewer, album_id, image_id)
        if album_id is not None:
            return await self._links.of_album(album_id)
        assert image_id is not None  # noqa: S101  # one of the two is named
        return await self._links.of_image(image_id)

    async def _hash(self, password: str | None) -> str | None:
        return None if password is None else await self._hasher.hash(clean_password(password))

    async def _get(self, link_id: ShareLinkId) -> ShareLink:
        async with self._unit_of_work() as work:
            return await work.share_links.get(link_id)


def _require_rights(viewer: Viewer) -> None:
    """Passes who may read and contribute: whoever has a link looks through it, so it takes both.

    Raises:
        ForbiddenError: if not.
    """
    require(viewer, Right.READ)
    require(viewer, Right.CONTRIBUTE)


def _check_one(album_id: AlbumId | None, image_id: ImageId | None) -> None:
    if (album_id is None) == (image_id is None):
        message = "Name either an album or an image."
        raise InvalidInputError(ErrorCode.INVALID_INPUT, message, field=("albumId",))


async def _require_show(work: UnitOfWork, viewer: Viewer, album_id: AlbumId | None, image_id: ImageId | None) -> None:
    """Passes if the viewer says to whom the one of the two is shown that is there.

    Raises:
        NotFoundError: if they see no such thing.
        ForbiddenError: if they see it and do not have it.
    """
    try:
        if album_id is not None:
            await album_to_show(work, viewer, album_id)
        else:
            assert image_id is not None  # noqa: S101  # one of the two is there
            await image_to_show(work, viewer, image_id)
    except NotFoundError:
        kind, field = (EntityKind.IMAGE, "imageId") if album_id is None else (EntityKind.ALBUM, "albumId")
        raise NotFoundError.of(kind, field=(field,)) from None


async def _may_show(work: UnitOfWork, viewer: Viewer, link: ShareLink) -> bool:
    """Whether the viewer says to whom that is shown to which a link leads."""
    try:
        await _require_show(work, viewer, link.album_id, link.image_id)
    except (NotFoundError, ForbiddenError):
        return False
    return True


def _event(kind: EventKind, viewer: Viewer, link: ShareLink, now: datetime, payload: Mapping[str, JsonValue]) -> Event:
    target: dict[str, JsonValue] = {"album_id": _hex(link.album_id), "image_id": _hex(link.image_id)}
    return Event(kind=kind, entity_id=link.id, actor=viewer.id, occurred_at=now, payload={**target, **payload})


def _described(link: ShareLink) -> dict[str, JsonValue]:
    """What events tell of a link; nothing by which it could be opened."""
    return {
        "label": link.label,
        "expires_at": None if link.expires_at is None else link.expires_at.isoformat(),
        "allows_download": link.allows_download,
        "shows_metadata": link.shows_metadata,
        "has_password": link.password_hash is not None,
    }


def _changes(before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {name: {"from": old, "to": after[name]} for name, old in before.items() if old != after[name]}


def _hex(uuid: AlbumId | ImageId | None) -> str | None:
    return None if uuid is None else uuid.hex
