"""Sharing albums in the schema."""

from __future__ import annotations

from typing import Annotated

import strawberry

from gallery.domain import albums
from gallery.domain.idempotency import Snapshot
from gallery.domain.shares import ShareLevel
from gallery.services.shares import Person
from gallery.web.graphql.context import Info
from gallery.web.graphql.errors import UserError, answer
from gallery.web.graphql.idempotency import change_once
from gallery.web.graphql.ids import parse_account_id, parse_album_id
from gallery.web.graphql.types import Album


@strawberry.input(description="With whom to share which album: give the name or the id of the account.")
class ShareAlbumInput:
    """Shares an album."""

    album_id: strawberry.ID = strawberry.field(description="The album.")
    account_name: str | None = strawberry.field(default=None, description="The name of the account, whatever its case.")
    account_id: strawberry.ID | None = strawberry.field(default=None, description="The id of the account.")
    level: ShareLevel = strawberry.field(default=ShareLevel.VIEW, description="What the account may do with it.")


@strawberry.input(description="With whom not to share which album: give the name or the id of the account.")
class UnshareAlbumInput:
    """Takes back that an album is shared."""

    album_id: strawberry.ID = strawberry.field(description="The album.")
    account_name: str | None = strawberry.field(default=None, description="The name of the account, whatever its case.")
    account_id: strawberry.ID | None = strawberry.field(default=None, description="The id of the account.")


@strawberry.type(description="The album that is shared, or why it is not.")
class ShareAlbumPayload:
    """Answer of `shareAlbum`."""

    album: Album | None = strawberry.field(description="The album with its `shares`; null if `errors` is not empty.")
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the album is shared.")


@strawberry.type(description="The album that is shared no more, or why it still is.")
class UnshareAlbumPayload:
    """Answer of `unshareAlbum`."""

    album: Album | None = strawberry.field(description="The album with its `shares`; null if `errors` is not empty.")
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the share was taken back.")


@strawberry.type
class ShareMutations:
    """Root fields that share albums."""

    @strawberry.mutation(
        description="Shares an album of yours with an account, which then sees it and every image that its owner has "
        "put there, however private. Again, it changes what the account may do."
    )
    async def share_album(
        self, info: Info, input: Annotated[ShareAlbumInput, strawberry.argument(description="With whom.")]
    ) -> ShareAlbumPayload:
        """The owner's to do, and the administrators'."""
        shares, viewer = info.context.use_cases.shares, info.context.viewer
        album, errors = await answer(
            info,
            lambda: change_once(
                info,
                input,
                lambda claim: shares.share(
                    viewer, parse_album_id(input.album_id, field=("albumId",)), _person(input), input.level, claim
                ),
                _changed,
            ),
            subject="albumId",
        )
        return ShareAlbumPayload(album=Album.of(album) if album else None, errors=errors)

    @strawberry.mutation(
        description="Shares an album of yours with an account no more. It counts at once, everywhere. What the account "
        "has put there stays, and is shown to those who see it anyway."
    )
    async def unshare_album(
        self, info: Info, input: Annotated[UnshareAlbumInput, strawberry.argument(description="With whom.")]
    ) -> UnshareAlbumPayload:
        """The owner's to do, and the administrators'."""
        shares, viewer = info.context.use_cases.shares, info.context.viewer
        album, errors = await answer(
            info,
            lambda: change_once(
                info,
                input,
                lambda claim: shares.unshare(
                    viewer, parse_album_id(input.album_id, field=("albumId",)), _person(input), claim
                ),
                _changed,
            ),
            subject="albumId",
        )
        return UnshareAlbumPayload(album=Album.of(album) if album else None, errors=errors)


def _person(input: ShareAlbumInput | UnshareAlbumInput) -> Person:
    """Whom the input means.

    Raises:
        InvalidInputError: INVALID_ID.
    """
    id_ = input.account_id
    return Person(name=input.account_name, id=None if id_ is None else parse_account_id(id_, field=("accountId",)))


async def _changed(then: Snapshot) -> albums.Album | None:
    return then.album
