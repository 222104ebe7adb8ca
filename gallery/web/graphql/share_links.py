"""Share links in the schema, for those who share. What others see by a link is in `shared.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from gallery.domain import share_links
from gallery.services.changes import KEEP
from gallery.services.share_links import NewShareLink, ShareLinkChange
from gallery.web.graphql.context import Info
from gallery.web.graphql.errors import UserError, answer
from gallery.web.graphql.ids import (
    album_global_id,
    image_global_id,
    parse_album_id,
    parse_image_id,
    parse_share_link_id,
    share_link_global_id,
)
from gallery.web.graphql.request import IDEMPOTENCY_HEADER
from gallery.web.shared_urls import page_url

_DOWNLOAD = (
    "Whether there is a file to download: the large thumbnail, which tells nothing of the camera or the place; or, if "
    "the link shows metadata, the file as it was uploaded, with all that a camera wrote into it."
)
_METADATA = "Whether media type, size and time of upload of the originals are shown. Names of files never are."
_PASSWORD = "8 to 1,024 characters."  # noqa: S105  # no password


@strawberry.type(description="Lets whoever has it see an album or image, without an account. Its token is told once.")
class ShareLink:
    """A link without its token."""

    id: strawberry.ID = strawberry.field(description="The global id.")
    album_id: strawberry.ID | None = strawberry.field(description="The album that it shows; null if it is an image.")
    image_id: strawberry.ID | None = strawberry.field(description="The image that it shows; null if it is an album.")
    label: str | None = strawberry.field(description="What you call it. Whoever opens it is not told.")
    allow_download: bool = strawberry.field(description=_DOWNLOAD)
    show_metadata: bool = strawberry.field(description=_METADATA)
    has_password: bool = strawberry.field(description="Whether a password is needed to open it.")
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(description="From when on it is of no use; null: never.")
    revoked_at: datetime | None = strawberry.field(description="When it was made useless; null: it was not.")
    open_count: int = strawberry.field(description="How often it was opened, some seconds ago.")
    last_opened_at: datetime | None = strawberry.field(description="When it was opened last; null: never.")

    @classmethod
    def of(cls, link: share_links.ShareLink) -> ShareLink:
        """The link as the schema shows it."""
        return cls(
            id=share_link_global_id(link.id),
            album_id=None if link.album_id is None else album_global_id(link.album_id),
            image_id=None if link.image_id is None else image_global_id(link.image_id),
            label=link.label,
            allow_download=link.allows_download,
            show_metadata=link.shows_metadata,
            has_password=link.password_hash is not None,
            created_at=link.created_at,
            expires_at=link.expires_at,
            revoked_at=link.revoked_at,
            open_count=link.open_count,
            last_opened_at=link.last_opened_at,
        )


@strawberry.type
class ShareLinkQueries:
    """The root field that lists links."""

    @strawberry.field(
        description="Share links that were not revoked, newest first, at most 1,000: those that you have made, or "
        "everybody's to an album or image of yours; administrators see those to any."
    )
    async def share_links(
        self,
        info: Info,
        album_id: Annotated[strawberry.ID | None, strawberry.argument(description="Those to this album.")] = None,
        image_id: Annotated[strawberry.ID | None, strawberry.argument(description="Those to this image.")] = None,
    ) -> list[ShareLink]:
        """One's own, or those to something."""
        links, viewer = info.context.use_cases.share_links, info.context.viewer
        if album_id is None and image_id is None:
            return list(map(ShareLink.of, await links.own(viewer)))
        found = await links.of(
            viewer,
            album_id=None if album_id is None else parse_album_id(album_id, field=("albumId",)),
            image_id=None if image_id is None else parse_image_id(image_id, field=("imageId",)),
        )
        return list(map(ShareLink.of, found))


@strawberry.input(description="A share link to make, to an album or to an image.")
class CreateShareLinkInput:
    """Makes a link."""

    album_id: strawberry.ID | None = strawberry.field(default=None, description="The album to show, with its images.")
    image_id: strawberry.ID | None = strawberry.field(default=None, description="The image to show, if it is no album.")
    expires_at: datetime | None = strawberry.field(default=None, description="From when on it is of no use.")
    password: str | None = strawberry.field(default=None, description=f"What opens it, beside the token: {_PASSWORD}")
    allow_download: bool = strawberry.field(default=False, description=_DOWNLOAD)
    show_metadata: bool = strawberry.field(default=False, description=_METADATA)
    label: str | None = strawberry.field(default=None, description="What to call it, up to 255 characters.")

    def new(self) -> NewShareLink:
        """What the services are to make.

        Raises:
            InvalidInputError: INVALID_ID.
        """
        return NewShareLink(
            album_id=None if self.album_id is None else parse_album_id(self.album_id, field=("albumId",)),
            image_id=None if self.image_id is None else parse_image_id(self.image_id, field=("imageId",)),
            expires_at=self.expires_at,
            password=self.password,
            allows_download=self.allow_download,
            shows_metadata=self.show_metadata,
            label=self.label,
        )


@strawberry.input(description="What to change of a share link. What is left out stays as it is.")
class UpdateShareLinkInput:
    """Changes a link."""

    id: strawberry.ID = strawberry.field(description="The link.")
    expires_at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="From when on it is of no use; null: never."
    )
    password: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=f"Another password, {_PASSWORD} Null: none. Addresses of files that were given out are void then.",
    )
    allow_download: bool | None = strawberry.field(
        default=strawberry.UNSET, description=f"{_DOWNLOAD} Null leaves it as it is."
    )
    show_metadata: bool | None = strawberry.field(
        default=strawberry.UNSET, description=f"{_METADATA} Null leaves it as it is."
    )
    label: str | None = strawberry.field(default=strawberry.UNSET, description="Another label; null: none.")

    def change(self) -> ShareLinkChange:
        """What the services are to change.

        Raises:
            InvalidInputError: INVALID_ID.
        """
        unset = strawberry.UNSET
        download, metadata = self.allow_download, self.show_metadata
        return ShareLinkChange(
            link_id=parse_share_link_id(self.id),
            expires_at=KEEP if self.expires_at is unset else self.expires_at,
            password=KEEP if self.password is unset else self.password,
            allows_download=KEEP if download is unset or download is None else download,
            shows_metadata=KEEP if metadata is unset or metadata is None else metadata,
            label=KEEP if self.label is unset else self.label,
        )


@strawberry.input(description="Which share link to revoke.")
class RevokeShareLinkInput:
    """Revokes a link."""

    id: strawberry.ID = strawberry.field(
        description="The link: one that you have made, or one to something of yours; administrators revoke any."
    )


@strawberry.type(description="The share link that was made, or why it was not.")
class CreateShareLinkPayload:
    """Answer of `createShareLink`."""

    share_link: ShareLink | None = strawberry.field(description="The new link; null if `errors` is not empty.")
    token: str | None = strawberry.field(description="What opens it, for `sharedLink`. Nobody can read it again.")
    url: str | None = strawberry.field(description="A page that shows it, with the token in its address: what to send.")
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the link was made.")


@strawberry.type(description="The share link that was changed, or why it was not.")
class UpdateShareLinkPayload:
    """Answer of `updateShareLink`."""

    share_link: ShareLink | None = strawberry.field(description="The link as it is now; null if `errors` is not empty.")
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the link was changed.")


@strawberry.type(description="The share link that was revoked, or why it was not.")
class RevokeShareLinkPayload:
    """Answer of `revokeShareLink`."""

    share_link: ShareLink | None = strawberry.field(description="The link as it is now; null if `errors` is not empty.")
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the link is revoked.")


@strawberry.type
class ShareLinkMutations:
    """Root fields that make, change and revoke links."""

    @strawberry.mutation(
        description="Makes a link to an album or image of yours; administrators make one to any. Whoever has it sees "
        "that image, or of the album the images that their owners have put there, those of the album's owner, and "
        "public ones; nothing else. Sent again, it makes another one, and the header "
        f"`{IDEMPOTENCY_HEADER}` is refused: an answer with a secret is never kept."
    )
    async def create_share_link(
        self, info: Info, input: Annotated[CreateShareLinkInput, strawberry.argument(description="The link.")]
    ) -> CreateShareLinkPayload:
        """The token is in this answer alone."""
        links, viewer = info.context.use_cases.share_links, info.context.viewer
        issued, errors = await answer(info, lambda: links.create(viewer, input.new()), subject="albumId")
        return CreateShareLinkPayload(
            share_link=ShareLink.of(issued.link) if issued else None,
            token=issued.token if issued else None,
            url=page_url(info.context.base_url, issued.token) if issued else None,
            errors=errors,
        )

    @strawberry.mutation(description="Changes a share link. What it shows, and its token, stay.")
    async def update_share_link(
        self, info: Info, input: Annotated[UpdateShareLinkInput, strawberry.argument(description="What to change.")]
    ) -> UpdateShareLinkPayload:
        """Counts at once."""
        links, viewer = info.context.use_cases.share_links, info.context.viewer
        link, errors = await answer(info, lambda: links.update(viewer, input.change()))
        return UpdateShareLinkPayload(share_link=ShareLink.of(link) if link else None, errors=errors)

    @strawberry.mutation(description="Makes a share link useless at once, also the addresses of its files.")
    async def revoke_share_link(
        self, info: Info, input: Annotated[RevokeShareLinkInput, strawberry.argument(description="Which one.")]
    ) -> RevokeShareLinkPayload:
        """Again, it does nothing."""
        links, viewer = info.context.use_cases.share_links, info.context.viewer
        link, errors = await answer(info, lambda: links.revoke(viewer, parse_share_link_id(input.id)))
        return RevokeShareLinkPayload(share_link=ShareLink.of(link) if link else None, errors=errors)
