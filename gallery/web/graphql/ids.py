"""Global ids: opaque to clients, readable in logs. A prefix such as `img_`, then the UUID in hexadecimal."""

from __future__ import annotations

import re
from typing import Final, Literal
from uuid import UUID

import strawberry

from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.ids import AlbumId, ImageId, SessionId, ShareLinkId, TagId, TokenId, UploadId, UserId

Prefix = Literal["img", "tag", "alb", "upl", "acc", "tok", "ses", "lnk"]

IMAGE_PREFIX: Final = "img_"
"""What the id of an image begins with, for who makes many addresses of them."""

_SHAPE = re.compile(r"(img|tag|alb|upl|acc|tok|ses|lnk)_([0-9a-f]{32})")
_NAMES: dict[Prefix, str] = {
    "img": "an image",
    "tag": "a tag",
    "alb": "an album",
    "upl": "an upload",
    "acc": "an account",
    "tok": "a token",
    "ses": "a session",
    "lnk": "a share link",
}


# What these give is a string to GraphQL. `strawberry.ID` would be called for nothing, hundreds of times a page.


def image_global_id(image_id: ImageId) -> strawberry.ID:
    """The id of an image as clients know it."""
    return f"{IMAGE_PREFIX}{image_id.hex}"  # type: ignore[return-value]  # as said above


def tag_global_id(tag_id: TagId) -> strawberry.ID:
    """The id of a tag as clients know it."""
    return f"tag_{tag_id.hex}"  # type: ignore[return-value]  # as said above


def album_global_id(album_id: AlbumId) -> strawberry.ID:
    """The id of an album as clients know it."""
    return f"alb_{album_id.hex}"  # type: ignore[return-value]  # as said above


def upload_global_id(upload_id: UploadId) -> strawberry.ID:
    """The id of a staged upload as clients know it."""
    return strawberry.ID("upl_" + upload_id.hex)


def account_global_id(account_id: UserId) -> strawberry.ID:
    """The id of an account as clients know it."""
    return strawberry.ID("acc_" + account_id.hex)


def token_global_id(token_id: TokenId) -> strawberry.ID:
    """The id of an API token as clients know it."""
    return strawberry.ID("tok_" + token_id.hex)


def share_link_global_id(link_id: ShareLinkId) -> strawberry.ID:
    """The id of a share link as clients know it."""
    return strawberry.ID("lnk_" + link_id.hex)


def is_upload_id(value: str) -> bool:
    """Whether this is an id of a staged upload."""
    match = _SHAPE.fullmatch(value)
    return match is not None and match[1] == "upl"


def session_global_id(session_id: SessionId) -> strawberry.ID:
    """The id of a session as clients know it."""
    return strawberry.ID("ses_" + session_id.hex)


def parse_global_id(value: str, *, field: tuple[str, ...] = ("id",)) -> tuple[Prefix, UUID]:
    """The kind of thing that an id belongs to, and its UUID.

    Raises:
        InvalidInputError: INVALID_ID if it is no id of the gallery.
    """
    match = _SHAPE.fullmatch(value)
    if match is None:
        message = "This is not an id of the gallery. Use an id as the API returned it, such as img_0190…"
        raise InvalidInputError(ErrorCode.INVALID_ID, message, field=field)
    prefix: Prefix = match[1]  # type: ignore[assignment]  # the expression matches nothing else
    return prefix, UUID(match[2])


def parse_image_id(value: str, *, field: tuple[str, ...] = ("id",)) -> ImageId:
    """The id of an image.

    Raises:
        InvalidInputError: INVALID_ID if it is no id of an image.
    """
    return ImageId(_parse(value, "img", field))


def parse_tag_id(value: str, *, field: tuple[str, ...] = ("id",)) -> TagId:
    """The id of a tag.

    Raises:
        InvalidInputError: INVALID_ID if it is no id of a tag.
    """
    return TagId(_parse(value, "tag", field))


def parse_album_id(value: str, *, field: tuple[str, ...] = ("id",)) -> AlbumId:
    """The id of an album.

    Raises:
        InvalidInputError: INVALID_ID if it is no id of an album.
    """
    return AlbumId(_parse(value, "alb", field))


def parse_upload_id(value: str, *, field: tuple[str, ...] = ("id",)) -> UploadId:
    """The id of a staged upload.

    Raises:
        InvalidInputError: INVALID_ID if it is no id of an upload.
    """
    return UploadId(_parse(value, "upl", field))


def parse_token_id(value: str, *, field: tuple[str, ...] = ("id",)) -> TokenId:
    """The id of an API token.

    Raises:
        InvalidInputError: INVALID_ID if it is no id of a token.
    """
    return TokenId(_parse(value, "tok", field))


def parse_account_id(value: str, *, field: tuple[str, ...] = ("id",)) -> UserId:
    """The id of an account.

    Raises:
        InvalidInputError: INVALID_ID if it is no id of an account.
    """
    return UserId(_parse(value, "acc", field))


def parse_session_id(value: str, *, field: tuple[str, ...] = ("id",)) -> SessionId:
    """The id of a session.

    Raises:
        InvalidInputError: INVALID_ID if it is no id of a session.
    """
    return SessionId(_parse(value, "ses", field))


def parse_share_link_id(value: str, *, field: tuple[str, ...] = ("id",)) -> ShareLinkId:
    """The id of a share link.

    Raises:
        InvalidInputError: INVALID_ID if it is no id of a share link.
    """
    return ShareLinkId(_parse(value, "lnk", field))


def parse_image_ids(values: list[strawberry.ID], *, field: str = "imageIds") -> list[ImageId]:
    """The ids of images.

    Raises:
        InvalidInputError: INVALID_ID naming the first place in the list that holds no id of an image.
    """
    return [parse_image_id(value, field=(field, str(index))) for index, value in enumerate(values)]


def _parse(value: str, wanted: Prefix, field: tuple[str, ...]) -> UUID:
    prefix, uuid = parse_global_id(value, field=field)
    if prefix != wanted:
        message = f"This is the id of {_NAMES[prefix]}; the id of {_NAMES[wanted]} is needed."
        raise InvalidInputError(ErrorCode.INVALID_ID, message, field=field)
    return uuid
