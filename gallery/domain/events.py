"""What happened, as the audit trail keeps it: appended in the transaction of the change itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime  # dataclass fields are read at run time
from enum import StrEnum, unique
from uuid import UUID  # as above

from gallery.domain.ids import EventId, UserId, new_event_id

JsonValue = str | int | float | bool | None | list["JsonValue"] | dict[str, "JsonValue"]
"""What JSON can hold (RFC 8259)."""


@unique
class EntityKind(StrEnum):
    """What an event is about."""

    IMAGE = "image"
    TAG = "tag"
    ALBUM = "album"
    ACCOUNT = "account"
    TOKEN = "token"  # noqa: S105  # a word, no secret
    LINK = "link"


@unique
class EventKind(StrEnum):
    """What happened. The word before the dot is the kind of entity that it happened to."""

    IMAGE_UPLOADED = "image.uploaded"
    IMAGE_UPDATED = "image.updated"
    IMAGE_VISIBILITY_CHANGED = "image.visibility_changed"
    IMAGE_DELETED = "image.deleted"
    IMAGE_RENDERED = "image.rendered"
    IMAGE_RENDERING_FAILED = "image.rendering_failed"
    IMAGE_LOST = "image.lost"
    IMAGE_RENDITION_LOST = "image.rendition_lost"
    IMAGE_TAGGED = "image.tagged"
    IMAGE_UNTAGGED = "image.untagged"
    TAG_CREATED = "tag.created"
    TAG_DELETED = "tag.deleted"
    ALBUM_CREATED = "album.created"
    ALBUM_UPDATED = "album.updated"
    ALBUM_VISIBILITY_CHANGED = "album.visibility_changed"
    ALBUM_SHARED = "album.shared"
    ALBUM_UNSHARED = "album.unshared"
    ALBUM_DELETED = "album.deleted"
    ALBUM_IMAGES_ADDED = "album.images_added"
    ALBUM_IMAGES_REMOVED = "album.images_removed"
    ACCOUNT_CREATED = "account.created"
    ACCOUNT_UPDATED = "account.updated"
    ACCOUNT_DISABLED = "account.disabled"
    ACCOUNT_PASSWORD_SET = "account.password_set"  # noqa: S105  # as above
    ACCOUNT_SIGNED_IN = "account.signed_in"
    ACCOUNT_SIGN_IN_FAILED = "account.sign_in_failed"
    ACCOUNT_SESSIONS_ENDED = "account.sessions_ended"
    TOKEN_CREATED = "token.created"  # noqa: S105  # as above
    TOKEN_REVOKED = "token.revoked"  # noqa: S105  # as above
    LINK_CREATED = "link.created"
    LINK_UPDATED = "link.updated"
    LINK_REVOKED = "link.revoked"

    @property
    def entity(self) -> EntityKind:
        """The kind of entity that it happened to."""
        return EntityKind(self.value.partition(".")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to one entity: who did it, when, and what changed.

    Ids in the payload are hexadecimal. The payload never holds the bytes of a file or a secret.
    """

    id: EventId = field(default_factory=new_event_id)
    kind: EventKind
    entity_id: UUID
    actor: UserId
    occurred_at: datetime
    payload: Mapping[str, JsonValue] = field(default_factory=dict)
