"""Accounts, and the API tokens by which programs show whose they are."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum, unique
from typing import Final, Self

from gallery.domain.access import Role, Scope, Viewer, rights_of
from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.ids import TokenId, UserId
from gallery.domain.names import clean_name

ACCOUNT_NAME_MAX_CHARACTERS: Final = 100

_PREFIX_CHARACTERS: Final = 8
_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_SECRET_BYTES: Final = 32
_BASE_62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM_CHARACTERS: Final = 6
_SHAPE: Final = re.compile(r"gal_([0-9a-z]{8})_[0-9A-Za-z_-]{43}([0-9A-Za-z]{6})")


@unique
class AccountKind(StrEnum):
    """Who stands behind an account."""

    PERSON = "person"
    PROGRAM = "program"


class RefusedCredentialError(Exception):
    """What somebody showed does not say who they are. `reason` is for them: it tells nothing of other people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody, or some program, that may use the gallery. Names are unique whatever their case."""

    id: UserId
    name: str
    kind: AccountKind
    role: Role
    created_at: datetime
    disabled_at: datetime | None = None
    issuer: str | None = None
    """The service that vouches for whoever uses the account, if there is one."""
    subject: str | None = None
    """What the issuer calls them; it never changes."""

    def viewer(self) -> Viewer:
        """Who uses the account, with all that it may do."""
        return Viewer(id=self.id, rights=self.role.rights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """What a service says of somebody for whom it vouches."""

    issuer: str
    subject: str
    name: str
    role: Role
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """What a program shows to be known: a random secret, of which only the SHA-256 is kept.

    The secret has 256 random bits. Nobody guesses it from its hash, so that need not be a slow one.
    """

    id: TokenId
    account_id: UserId
    name: str
    prefix: str
    """The part of the secret that may be shown, by which people and logs tell tokens apart. Unique."""
    digest: bytes
    """SHA-256 of the whole secret."""
    role: Role
    """What it may do at most: less than the account may, if the account has a higher role, and never more."""
    scopes: tuple[Scope, ...]
    """To what the rights of the role are held; empty: to nothing."""
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    """To a minute or so."""

    def is_secret(self, secret: str) -> bool:
        """Whether this is the secret; takes as long for a wrong one, wherever it differs."""
        return hmac.compare_digest(self.digest, digest_of(secret))

    def is_usable(self, now: datetime) -> bool:
        """Whether it was neither revoked nor has expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def revoked(self, now: datetime) -> Self:
        """The token, of no use any more."""
        return replace(self, revoked_at=self.revoked_at or now)

    def viewer(self, account: Account) -> Viewer:
        """Who shows it: the account, with what both may do."""
        rights = rights_of(self.role.at_most(account.role), self.scopes)
        return Viewer(id=account.id, rights=rights, token_id=self.id, is_held=rights < account.role.rights)


def new_secret() -> str:
    """The secret of a token that is about to be made: `gal_`, a prefix, `_`, 256 random bits and a checksum.

    Beginning and checksum are for programs that look for secrets where there should be none, and the checksum tells one
    that was cut off or mistyped from one that was revoked.
    """
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(_PREFIX_CHARACTERS))
    body = f"gal_{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return body + _checksum(body)


def prefix_of(secret: str) -> str | None:
    """The prefix of a secret; None if it is no secret of a token."""
    match = _SHAPE.fullmatch(secret)
    if match is None or match[2] != _checksum(secret[:-_CHECKSUM_CHARACTERS]):
        return None
    return match[1]


def digest_of(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def clean_account_name(name: str, *, field: tuple[str, ...] = ("name",)) -> str:
    """The name of an account or a token: 1 to 100 characters without surrounding white space.

    Raises:
        InvalidInputError: INVALID_NAME for an empty or too long name, or one with control characters.
    """
    cleaned = clean_name(name, what="The name", field=field)
    if len(cleaned) > ACCOUNT_NAME_MAX_CHARACTERS:
        message = f"The name has {len(cleaned):,} characters; at most {ACCOUNT_NAME_MAX_CHARACTERS} are allowed."
        raise InvalidInputError(ErrorCode.INVALID_NAME, message, field=field)
    return cleaned


def account_key(name: str) -> str:
    """What makes a name unique: names that differ only in case have the same."""
    return name.casefold()


def _checksum(body: str) -> str:
    """CRC-32 in six digits to the base 62, the highest first."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_CHARACTERS):
        number, digit = divmod(number, len(_BASE_62))
        digits = _BASE_62[digit] + digits
    return digits
