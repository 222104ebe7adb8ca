"""Rules for passwords. How long they are is all that is asked: rules of composition make people choose worse ones.

Lengths are those of NIST SP 800-63B-4, section 3.1.1.2, and a bound on what is hashed.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from gallery.domain.errors import ErrorCode, InvalidInputError

PASSWORD_MIN_CHARACTERS: Final = 12
PASSWORD_MAX_CHARACTERS: Final = 1024


def normal_password(password: str) -> str:
    """The password as it is hashed: in normal form KC, so that no keyboard makes another one of it."""
    return unicodedata.normalize("NFKC", password)


def is_possible_password(password: str) -> bool:
    """Whether anybody can have this password: what nobody can have is not worth a look."""
    return len(password) <= PASSWORD_MAX_CHARACTERS and _is_text(password)


def clean_password(password: str, *, field: tuple[str, ...] = ("password",)) -> str:
    """A password that somebody chooses, as it is hashed.

    Raises:
        InvalidInputError: INVALID_PASSWORD if it is too short or too long, or no text.
    """
    length = len(normal_password(password))
    if length < PASSWORD_MIN_CHARACTERS:
        message = f"The password has {length} characters; choose one of at least {PASSWORD_MIN_CHARACTERS}."
    elif max(length, len(password)) > PASSWORD_MAX_CHARACTERS:
        message = f"The password is longer than {PASSWORD_MAX_CHARACTERS:,} characters."
    elif not _is_text(password):
        message = "The password is no text that can be encoded."
    else:
        return normal_password(password)
    raise InvalidInputError(ErrorCode.INVALID_PASSWORD, message, field=field)


def _is_text(password: str) -> bool:
    """Whether there is no lone surrogate in it, which no encoding can hold."""
    return not any("\ud800" <= character <= "\udfff" for character in password)
