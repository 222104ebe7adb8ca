"""Sessions: that a person has signed in with a browser."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from gallery.domain.access import Viewer
from gallery.domain.accounts import Account
from gallery.domain.ids import SessionId, UserId

_SECRET_BYTES: Final = 32
_SHAPE: Final = re.compile(r"[0-9A-Za-z_-]{43}")


@unique
class SignInWay(StrEnum):
    """How somebody has signed in."""

    PASSWORD = "password"  # noqa: S105  # a word, no secret
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a browser shows after somebody has signed in: a random secret, of which only the SHA-256 is kept.

    It ends when it is ended, when it is not used for a while, and at a time that was set when it began.
    """

    id: SessionId
    account_id: UserId
    digest: bytes
    """SHA-256 of the secret."""
    way: SignInWay
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime
    """To a minute or so."""

    def is_usable(self, now: datetime, idle: timedelta) -> bool:
        """Whether it goes on at this time, if it ends when it is not used for so long."""
        return now < min(self.expires_at, self.last_used_at + idle)

    def viewer(self, account: Account) -> Viewer:
        """Who shows it: the account, with all that it may do."""
        return Viewer(id=account.id, rights=account.role.rights, session_id=self.id)


def new_session_secret() -> str:
    """The secret of a session that is about to begin: 256 random bits in base64url."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def is_session_secret(text: str) -> bool:
    """Whether the text is in the shape of such a secret."""
    return _SHAPE.fullmatch(text) is not None
