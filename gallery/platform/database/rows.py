"""Rows become entities here, and entities rows. Nothing else knows how one maps to the other.

Rows are read by place, not by name: a page has hundreds of rows of twenty columns, and names take three times as long
(10 against 4 microseconds for an image). So the columns named here come first in a row; others may follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Column

from gallery.domain.access import Role, Scope, Visibility
from gallery.domain.accounts import Account, AccountKind, ApiToken, account_key
from gallery.domain.albums import Album
from gallery.domain.idempotency import Claim, Snapshot
from gallery.domain.images import ContentType, Image, ProcessingState, Rendition, RenditionSize
from gallery.domain.sessions import Session, SignInWay
from gallery.domain.share_links import ShareLink
from gallery.domain.tags import Tag, tag_key
from gallery.domain.uploads import Announcement, Draft, Refusal, Transport, Upload, UploadState
from gallery.platform.database.tables import (
    ACCOUNTS,
    ALBUMS,
    CLAIMS,
    IMAGES,
    RENDITIONS,
    SESSIONS,
    SHARE_LINKS,
    TAGS,
    TOKENS,
    UPLOADS,
)

Columns = tuple[Column[Any], ...]

IMAGE_COLUMNS: Columns = tuple(column for column in IMAGES.c if column.computed is None)
RENDITION_COLUMNS: Columns = tuple(RENDITIONS.c)
TAG_COLUMNS: Columns = tuple(column for column in TAGS.c if column is not TAGS.c.key)
ALBUM_COLUMNS: Columns = tuple(column for column in ALBUMS.c if column.computed is None)
UPLOAD_COLUMNS: Columns = tuple(UPLOADS.c)
CLAIM_COLUMNS: Columns = tuple(CLAIMS.c)
ACCOUNT_COLUMNS: Columns = tuple(column for column in ACCOUNTS.c if column is not ACCOUNTS.c.key)
TOKEN_COLUMNS: Columns = tuple(TOKENS.c)
SESSION_COLUMNS: Columns = tuple(SESSIONS.c)
SHARE_LINK_COLUMNS: Columns = tuple(
    column for column in SHARE_LINKS.c if column.name not in {"guesses", "guesses_since"}
)

_IMAGE_FIELDS, _RENDITION_FIELDS, _TAG_FIELDS, _ALBUM_FIELDS, _UPLOAD_FIELDS, _CLAIM_FIELDS = (
    tuple(column.name for column in columns)
    for columns in (IMAGE_COLUMNS, RENDITION_COLUMNS, TAG_COLUMNS, ALBUM_COLUMNS, UPLOAD_COLUMNS, CLAIM_COLUMNS)
)
_ACCOUNT_FIELDS, _TOKEN_FIELDS, _SESSION_FIELDS = (
    tuple(column.name for column in columns) for columns in (ACCOUNT_COLUMNS, TOKEN_COLUMNS, SESSION_COLUMNS)
)
_SHARE_LINK_FIELDS = tuple(column.name for column in SHARE_LINK_COLUMNS)

_DRAFT: Final = TypeAdapter(Draft)
_ANNOUNCED: Final = TypeAdapter(Announcement | None)
_REFUSAL: Final = TypeAdapter(Refusal | None)
_SNAPSHOT: Final = TypeAdapter(Snapshot | None)
"""What is kept as JSON. A field that an older release did not write has its default."""


def image_from_row(row: Iterable[Any]) -> Image:
    """The image of a row that begins with `IMAGE_COLUMNS`."""
    values = dict(zip(_IMAGE_FIELDS, row, strict=False))
    values["content_type"] = ContentType(values["content_type"])
    values["processing"] = ProcessingState(values["processing"])
    values["visibility"] = Visibility(values["visibility"])
    return Image(**values)


def rendition_from_row(row: Iterable[Any]) -> Rendition:
    """The rendition of a row that begins with `RENDITION_COLUMNS`."""
    values = dict(zip(_RENDITION_FIELDS, row, strict=False))
    values["size"] = RenditionSize(values["size"])
    return Rendition(**values)


def tag_from_row(row: Iterable[Any]) -> Tag:
    """The tag of a row that begins with `TAG_COLUMNS`."""
    return Tag(**dict(zip(_TAG_FIELDS, row, strict=False)))


def album_from_row(row: Iterable[Any]) -> Album:
    """The album of a row that begins with `ALBUM_COLUMNS`."""
    values = dict(zip(_ALBUM_FIELDS, row, strict=False))
    values["visibility"] = Visibility(values["visibility"])
    return Album(**values)


def upload_from_row(row: Iterable[Any]) -> Upload:
    """The upload of a row that begins with `UPLOAD_COLUMNS`."""
    values = dict(zip(_UPLOAD_FIELDS, row, strict=False))
    values["transport"] = Transport(values["transport"])
    values["refusal"] = _REFUSAL.validate_python(values["refusal"])
    values["state"] = UploadState(values["state"]) if values["refusal"] is None else UploadState.REFUSED
    values["draft"] = _DRAFT.validate_python(values["draft"])
    values["announced"] = _ANNOUNCED.validate_python(values["announced"])
    return Upload(**values)


def claim_from_row(row: Iterable[Any]) -> Claim:
    """The claim of a row that begins with `CLAIM_COLUMNS`."""
    values = dict(zip(_CLAIM_FIELDS, row, strict=False))
    values["snapshot"] = _SNAPSHOT.validate_python(values["snapshot"])
    return Claim(**values)


def account_from_row(row: Sequence[Any]) -> Account:
    """The account of a row that begins with `ACCOUNT_COLUMNS`."""
    values = dict(zip(_ACCOUNT_FIELDS, row, strict=False))
    return Account(**values | {"kind": AccountKind(values["kind"]), "role": Role(values["role"])})


def token_from_row(row: Sequence[Any]) -> ApiToken:
    """The token of a row that begins with `TOKEN_COLUMNS`."""
    values = dict(zip(_TOKEN_FIELDS, row, strict=False))
    return ApiToken(**values | {"role": Role(values["role"]), "scopes": tuple(map(Scope, values["scopes"]))})


def session_from_row(row: Sequence[Any]) -> Session:
    """The session of a row that begins with `SESSION_COLUMNS`."""
    values = dict(zip(_SESSION_FIELDS, row, strict=False))
    return Session(**values | {"way": SignInWay(values["way"])})


def share_link_from_row(row: Sequence[Any]) -> ShareLink:
    """The share link of a row that begins with `SHARE_LINK_COLUMNS`."""
    return ShareLink(**dict(zip(_SHARE_LINK_FIELDS, row, strict=False)))


def image_values(image: Image) -> dict[str, Any]:
    """The values of an image's row."""
    return _values(image, IMAGE_COLUMNS)


def rendition_values(rendition: Rendition) -> dict[str, Any]:
    """The values of a rendition's row."""
    return _values(rendition, RENDITION_COLUMNS)


def tag_values(tag: Tag) -> dict[str, Any]:
    """The values of a tag's row."""
    return _values(tag, TAG_COLUMNS) | {"key": tag_key(tag.name)}


def album_values(album: Album) -> dict[str, Any]:
    """The values of an album's row."""
    return _values(album, ALBUM_COLUMNS)


def upload_values(upload: Upload) -> dict[str, Any]:
    """The values of an upload's row."""
    return _values(upload, UPLOAD_COLUMNS) | {
        "state": UploadState.COMPLETED if upload.state is UploadState.REFUSED else upload.state,
        "refusal": _REFUSAL.dump_python(upload.refusal, mode="json"),
        "draft": _DRAFT.dump_python(upload.draft, mode="json"),
        "announced": _ANNOUNCED.dump_python(upload.announced, mode="json"),
    }


def claim_values(claim: Claim) -> dict[str, Any]:
    """The values of a claim's row."""
    return _values(claim, CLAIM_COLUMNS) | {"snapshot": _SNAPSHOT.dump_python(claim.snapshot, mode="json")}


def account_values(account: Account) -> dict[str, Any]:
    """The values of an account's row."""
    return _values(account, ACCOUNT_COLUMNS) | {"key": account_key(account.name)}


def session_values(session: Session) -> dict[str, Any]:
    """The values of a session's row."""
    return _values(session, SESSION_COLUMNS)


def token_values(token: ApiToken) -> dict[str, Any]:
    """The values of a token's row."""
    return _values(token, TOKEN_COLUMNS) | {"scopes": list(token.scopes)}


def share_link_values(link: ShareLink) -> dict[str, Any]:
    """The values of a share link's row, but for its guesses."""
    return _values(link, SHARE_LINK_COLUMNS)


def _values(entity: object, columns: Columns) -> dict[str, Any]:
    return {column.name: getattr(entity, column.name) for column in columns}
