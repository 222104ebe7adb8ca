"""Identifiers: UUIDv7 made by the server before anything is stored (RFC 9562, section 5.7)."""

from __future__ import annotations

import os
import time
from typing import NewType
from uuid import UUID

ImageId = NewType("ImageId", UUID)
TagId = NewType("TagId", UUID)
AlbumId = NewType("AlbumId", UUID)
EventId = NewType("EventId", UUID)
UserId = NewType("UserId", UUID)
UploadId = NewType("UploadId", UUID)
TokenId = NewType("TokenId", UUID)
SessionId = NewType("SessionId", UUID)
ShareLinkId = NewType("ShareLinkId", UUID)

_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
_RANDOM_A_MASK = (1 << 12) - 1
_RANDOM_B_MASK = (1 << 62) - 1


def new_uuid7() -> UUID:
    """A UUID whose order is the order of making, to the millisecond."""
    milliseconds = time.time_ns() // 1_000_000
    random_bits = int.from_bytes(os.urandom(10), "big")
    return UUID(
        int=(milliseconds & ((1 << 48) - 1)) << 80
        | _VERSION_7
        | (random_bits >> 62 & _RANDOM_A_MASK) << 64
        | _VARIANT
        | random_bits & _RANDOM_B_MASK
    )


def new_image_id() -> ImageId:
    """An id for an image that is about to be stored."""
    return ImageId(new_uuid7())


def new_tag_id() -> TagId:
    """An id for a tag that is about to be stored."""
    return TagId(new_uuid7())


def new_album_id() -> AlbumId:
    """An id for an album that is about to be stored."""
    return AlbumId(new_uuid7())


def new_event_id() -> EventId:
    """An id for an event that is about to be recorded."""
    return EventId(new_uuid7())


def new_upload_id() -> UploadId:
    """An id for an upload that is about to begin."""
    return UploadId(new_uuid7())


def new_user_id() -> UserId:
    """An id for an account that is about to be stored."""
    return UserId(new_uuid7())


def new_token_id() -> TokenId:
    """An id for an API token that is about to be stored."""
    return TokenId(new_uuid7())


def new_session_id() -> SessionId:
    """An id for a session that is about to begin."""
    return SessionId(new_uuid7())


def new_share_link_id() -> ShareLinkId:
    """An id for a share link that is about to be stored."""
    return ShareLinkId(new_uuid7())
