"""Sharing albums with people: who is shown an album, and the images that their owners have put into it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # dataclass fields are read at run time
from enum import StrEnum, unique

from gallery.domain.ids import AlbumId, UserId  # as above

MAX_SHARES = 100
"""With how many accounts an album can be shared."""


@unique
class ShareLevel(StrEnum):
    """What those with whom an album is shared may do with it."""

    VIEW = "VIEW"
    CONTRIBUTE = "CONTRIBUTE"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlbumShare:
    """An album is shared with an account, which is called `account_name` now."""

    album_id: AlbumId
    account_id: UserId
    account_name: str
    level: ShareLevel
    shared_by: UserId
    shared_at: datetime
