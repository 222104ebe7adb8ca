"""Share links: whoever has one sees an album or an image, and nothing else of the gallery."""

from __future__ import annotations

import hmac
import re
import secrets
import unicodedata
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import datetime, timedelta  # dataclass fields are read at run time
from hashlib import sha256
from typing import Final, Self

from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.ids import AlbumId, ImageId, ShareLinkId, UserId  # as above
from gallery.domain.images import Image, title_from_filename
from gallery.domain.names import clean_name

PASSWORD_MIN_CHARACTERS: Final = 8
PASSWORD_MAX_CHARACTERS: Final = 1024

_PREFIX: Final = "shr_"
_TOKEN_BYTES: Final = 32
_SECRET_BYTES: Final = 32
_SHAPE: Final = re.compile(r"shr_[0-9A-Za-z_-]{43}")
_PROOF: Final = re.compile(r"(\d{1,12})-([0-9A-Za-z_-]{43})", re.ASCII)
_PROOF_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLink:
    """What a token opens: one album or one image, as its maker may show it. Only the hash of the token is kept."""

    id: ShareLinkId
    digest: bytes
    """SHA-256 of the token."""
    secret: bytes
    """256 random bits that nobody is told: of them proofs of the password and the ids of images are made."""
    album_id: AlbumId | None
    image_id: ImageId | None
    made_by: UserId
    label: str | None
    """What its maker calls it. Whoever opens it is not told."""
    allows_download: bool
    """Whether there is a file to download, beside the thumbnails."""
    shows_metadata: bool
    """Whether type, size and time of upload are told; then downloads are the files as they were uploaded."""
    password_hash: str | None
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    open_count: int = 0
    last_opened_at: datetime | None = None

    def is_usable(self, now: datetime) -> bool:
        """Whether it was neither revoked nor has expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def revoked(self, now: datetime) -> Self:
        """The link, of no use any more."""
        return replace(self, revoked_at=self.revoked_at or now)

    def with_password(self, password_hash: str | None) -> Self:
        """The link with another password or none. Proofs of the one before are void."""
        return replace(self, password_hash=password_hash, secret=new_link_secret())

    def key(self, purpose: str) -> bytes:
        """256 bits for one purpose, which tell nothing of those for another."""
        return hmac.digest(self.secret, purpose.encode(), sha256)

    def proof(self, now: datetime) -> str:
        """What shows for one to two hours that its bearer has given the password; the same within an hour."""
        return self._proof_until((int(now.timestamp()) // _PROOF_SECONDS + 2) * _PROOF_SECONDS)

    def is_proof(self, proof: str, now: datetime) -> bool:
        """Whether the proof is one of this link and is not too old."""
        match = _PROOF.fullmatch(proof)
        if match is None or int(match[1]) <= now.timestamp():
            return False
        return hmac.compare_digest(proof, self._proof_until(int(match[1])))

    def _proof_until(self, until: int) -> str:
        mac = hmac.digest(self.key("password"), str(until).encode(), sha256)
        return f"{until}-{urlsafe_b64encode(mac).decode().rstrip('=')}"


def new_share_token() -> str:
    """The token of a link that is about to be made: `shr_` and 256 random bits in base64url."""
    return _PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)


def new_link_secret() -> bytes:
    """The secret of a link that is about to be made."""
    return secrets.token_bytes(_SECRET_BYTES)


def is_share_token(text: str) -> bool:
    """Whether the text has the shape of a token."""
    return _SHAPE.fullmatch(text) is not None


def given_title(image: Image) -> str | None:
    """The title that somebody gave an image; None for that of its file, which is nobody else's business."""
    return None if image.title == title_from_filename(image.original_filename) else image.title


def clean_label(label: str | None) -> str | None:
    """What a link is called, by the rules of names; None where nothing is left.

    Raises:
        InvalidInputError: INVALID_NAME if it is too long or has control characters.
    """
    return clean_name(label, what="The label", field=("label",)) if label and label.strip() else None


def clean_password(password: str) -> str:
    """The password in Unicode normal form C: it is the same on every keyboard.

    Raises:
        InvalidInputError: INVALID_INPUT if it has less than 8 or more than 1,024 characters.
    """
    if not PASSWORD_MIN_CHARACTERS <= len(password) <= PASSWORD_MAX_CHARACTERS:
        message = f"A password has {PASSWORD_MIN_CHARACTERS} to {PASSWORD_MAX_CHARACTERS:,} characters."
        raise InvalidInputError(ErrorCode.INVALID_INPUT, message, field=("password",))
    return unicodedata.normalize("NFC", password)


def check_expiry(expires_at: datetime | None, now: datetime) -> None:
    """Passes a time that is ahead, or none.

    Raises:
        InvalidInputError: INVALID_INPUT for one that is past.
    """
    if expires_at is not None and expires_at <= now:
        message = "The link would have expired already. Choose a later time."
        raise InvalidInputError(ErrorCode.INVALID_INPUT, message, field=("expiresAt",))


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessLimit:
    """How many wrong passwords are taken of everybody together in a period, which begins with the first of them."""

    guesses: int = 10
    period: timedelta = timedelta(minutes=15)
