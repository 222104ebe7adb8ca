"""Entities to begin a test with. Every one is valid; a test names only what it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from gallery.domain.access import LOCAL_ADMINISTRATOR, Right, Role, Viewer
from gallery.domain.accounts import Account, AccountKind, ApiToken, digest_of, new_secret, prefix_of
from gallery.domain.albums import Album
from gallery.domain.events import Event, EventKind
from gallery.domain.idempotency import Claim
from gallery.domain.ids import (
    UserId,
    new_album_id,
    new_image_id,
    new_session_id,
    new_share_link_id,
    new_tag_id,
    new_token_id,
    new_upload_id,
    new_user_id,
)
from gallery.domain.images import ContentType, Image, ProcessingState, Rendition, RenditionSize
from gallery.domain.sessions import Session, SignInWay, new_session_secret
from gallery.domain.share_links import ShareLink, new_link_secret, new_share_token
from gallery.domain.tags import Tag
from gallery.domain.uploads import Announcement, Transport, Upload

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)

ADA = Viewer(id=UserId(UUID("00000000-0000-7000-8000-00000000ada0")), rights=frozenset(Right))
BOB = Viewer(id=UserId(UUID("00000000-0000-7000-8000-00000000b0b0")), rights=frozenset(Right))
NOBODY = Viewer(id=UserId(UUID("00000000-0000-7000-8000-0000000000ff")), rights=frozenset())

_EDGES_PX = {RenditionSize.SMALL: 320, RenditionSize.MEDIUM: 960, RenditionSize.LARGE: 2048}


def a_viewer(role: Role = Role.VIEWER) -> Viewer:
    """Somebody of a role, whom nobody else is."""
    return Viewer(id=new_user_id(), rights=role.rights)


def after(minutes: float) -> datetime:
    """So many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def checksum_of(content: bytes) -> str:
    return sha256(content).hexdigest()


def an_image(**fields: Any) -> Image:  # noqa: ANN401  # any field of an image
    """An image with bytes that no other has."""
    image_id = fields.pop("id", new_image_id())
    moment = fields.pop("uploaded_at", NOON)
    image = Image(
        id=image_id,
        owner=ADA.id,
        filename=f"{image_id}.jpg",
        original_filename="harbour.jpg",
        content_type=ContentType.JPEG,
        file_size_bytes=1000,
        storage_path=f"images/2026/05/{image_id}.jpg",
        checksum=checksum_of(image_id.bytes),
        width_px=400,
        height_px=300,
        title="Harbour",
        description=None,
        processing=ProcessingState.PENDING,
        processing_error=None,
        uploaded_at=moment,
        created_at=moment,
        updated_at=moment,
    )
    return replace(image, **fields)


def a_tag(name: str = "Sea", **fields: Any) -> Tag:  # noqa: ANN401  # any field of a tag
    return replace(Tag(id=new_tag_id(), owner=ADA.id, name=name, created_at=NOON), **fields)


def an_album(title: str = "Summer", **fields: Any) -> Album:  # noqa: ANN401  # any field of an album
    album = Album(
        id=new_album_id(),
        owner=ADA.id,
        title=title,
        description=None,
        cover_id=None,
        created_at=NOON,
        updated_at=NOON,
    )
    return replace(album, **fields)


def a_rendition(image: Image, size: RenditionSize = RenditionSize.SMALL) -> Rendition:
    edge_px = _EDGES_PX[size]
    return Rendition(
        image_id=image.id,
        size=size,
        content_type="image/webp",
        width_px=edge_px,
        height_px=edge_px * 3 // 4,
        file_size_bytes=edge_px * 10,
        checksum=checksum_of(image.id.bytes + size.value.encode()),
        storage_path=f"thumbnails/{size}/{image.id}.webp",
    )


def an_event(image: Image, kind: EventKind = EventKind.IMAGE_UPLOADED) -> Event:
    return Event(kind=kind, entity_id=image.id, actor=ADA.id, occurred_at=NOON, payload={"title": image.title})


def an_upload(**fields: Any) -> Upload:  # noqa: ANN401 - any field of an upload
    """An upload that streams through the server and was touched when it was made."""
    image_id = fields.pop("image_id", new_image_id())
    moment = fields.pop("created_at", NOON)
    upload = Upload(
        id=new_upload_id(),
        owner=ADA.id,
        transport=Transport.STREAMED,
        image_id=image_id,
        storage_path=f"images/2026/05/{image_id}.jpg",
        created_at=moment,
        touched_at=moment,
    )
    return replace(upload, **fields)


def a_staged_upload(**fields: Any) -> Upload:  # noqa: ANN401 - any field of an upload
    """An upload that a client sends to the storage, given up after a day."""
    moment = fields.get("created_at", NOON)
    staged = {
        "transport": Transport.STAGED,
        "announced": Announcement(
            filename="harbour.jpg", file_size_bytes=1000, content_type=ContentType.JPEG, checksum=None
        ),
        "multipart_id": "multipart-1",
        "part_size_bytes": 600,
        "expires_at": moment + timedelta(days=1),
    }
    return an_upload(**staged | fields)


def a_claim(key: str = "key-1", **fields: Any) -> Claim:  # noqa: ANN401 - any field of a claim
    """A claim whose work has just begun, kept for a day; no other has its holder."""
    moment = fields.pop("touched_at", NOON)
    claim = Claim(
        owner=ADA.id,
        key=key,
        operation="uploadImage",
        fingerprint=checksum_of(b"input"),
        holder=uuid4(),
        touched_at=moment,
        expires_at=moment + timedelta(days=1),
    )
    return replace(claim, **fields)


def an_account(name: str = "Ada", **fields: Any) -> Account:  # noqa: ANN401 - any field of an account
    """The account of a person who may do everything."""
    account = Account(id=new_user_id(), name=name, kind=AccountKind.PERSON, role=Role.ADMINISTRATOR, created_at=NOON)
    return replace(account, **fields)


def a_token(account: Account, **fields: Any) -> tuple[ApiToken, str]:  # noqa: ANN401 - any field of a token
    """A token of an account, which may do all that the account may and never expires; and its secret."""
    secret = new_secret()
    prefix = prefix_of(secret)
    assert prefix is not None
    token = ApiToken(
        id=new_token_id(),
        account_id=account.id,
        name="script",
        prefix=prefix,
        digest=digest_of(secret),
        role=account.role,
        scopes=(),
        created_at=NOON,
    )
    return replace(token, **fields), secret


def a_session(account: Account, **fields: Any) -> tuple[Session, str]:  # noqa: ANN401 - any field of a session
    """A session of the account, and its secret."""
    secret = new_session_secret()
    session = Session(
        id=new_session_id(),
        account_id=account.id,
        digest=digest_of(secret),
        way=SignInWay.PASSWORD,
        created_at=NOON,
        expires_at=NOON + timedelta(days=7),
        last_used_at=NOON,
    )
    return replace(session, **fields), secret


def a_share_link(**fields: Any) -> tuple[ShareLink, str]:  # noqa: ANN401 - any field of a link
    """A link of the local administrator without a password, which never expires; and its token."""
    token = new_share_token()
    link = ShareLink(
        id=new_share_link_id(),
        digest=digest_of(token),
        secret=new_link_secret(),
        album_id=None,
        image_id=None,
        made_by=LOCAL_ADMINISTRATOR.id,
        label=None,
        allows_download=False,
        shows_metadata=False,
        password_hash=None,
        created_at=NOON,
    )
    return replace(link, **fields), token
