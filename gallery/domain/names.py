"""Rules for what people type: names, titles, descriptions and file names."""

from __future__ import annotations

import re
import unicodedata

from gallery.domain.errors import ErrorCode, InvalidInputError

NAME_MAX_CHARACTERS = 255
DESCRIPTION_MAX_CHARACTERS = 10_000
UNNAMED_FILE = "unnamed"
QUOTED_MAX_CHARACTERS = 100

# C0, DEL and C1 controls, the marks that reorder the text around them, line separators, and lone surrogates,
# which no encoding can store. Joiners stay: emoji and several scripts need them.
_FORBIDDEN_IN_NAME = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_AROUND_FILENAME = re.compile(r"^[\s.]+|[\s.]+\Z")
_FORBIDDEN_IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean_name(name: str, *, what: str, field: tuple[str, ...]) -> str:
    """The name in Unicode normal form C without surrounding white space.

    Args:
        name: as the caller sent it.
        what: what is named, as a sentence would begin ("The tag's name").
        field: path into the caller's input.

    Raises:
        InvalidInputError: INVALID_NAME for an empty or too long name, or one with control characters.
    """
    cleaned = unicodedata.normalize("NFC", name).strip()
    if _FORBIDDEN_IN_NAME.search(cleaned):
        message = f"{what} contains control characters. Remove them."
    elif not cleaned:
        message = f"{what} is empty. Give it 1 to {NAME_MAX_CHARACTERS} characters."
    elif len(cleaned) > NAME_MAX_CHARACTERS:
        message = f"{what} has {len(cleaned):,} characters; at most {NAME_MAX_CHARACTERS} are allowed."
    else:
        return cleaned
    raise InvalidInputError(ErrorCode.INVALID_NAME, message, field=field)


def clean_search_text(text: str | None, *, field: tuple[str, ...] = ("text",)) -> str | None:
    """The text to look for, by the rules of names; None where nothing is left.

    Raises:
        InvalidInputError: INVALID_NAME if it is too long or has control characters.
    """
    return clean_name(text, what="The text to look for", field=field) if text and text.strip() else None


def clean_description(text: str | None, *, field: tuple[str, ...] = ("description",)) -> str | None:
    """The text in normal form C without surrounding white space; None where nothing is left.

    Raises:
        InvalidInputError: INVALID_DESCRIPTION if it is too long or has control characters
            other than line breaks and tabs.
    """
    if text is None:
        return None
    cleaned = unicodedata.normalize("NFC", text).strip()
    if _FORBIDDEN_IN_TEXT.search(cleaned):
        message = "The description contains control characters. Remove them."
    elif len(cleaned) > DESCRIPTION_MAX_CHARACTERS:
        message = (
            f"The description has {len(cleaned):,} characters; at most {DESCRIPTION_MAX_CHARACTERS:,} are allowed."
        )
    else:
        return cleaned or None
    raise InvalidInputError(ErrorCode.INVALID_DESCRIPTION, message, field=field)


def clean_filename(filename: str | None) -> str:
    """What a client called a file, made safe to show: no folders, no control characters, at most 255 characters.

    White space and dots around the name go. A long name keeps its extension. A name of which nothing is left becomes
    "unnamed". The answer keeps the rules of `clean_name`.
    """
    base = re.split(r"[/\\]", filename or "")[-1]
    visible = unicodedata.normalize("NFC", _FORBIDDEN_IN_NAME.sub("", base))
    cleaned = _shortened(_AROUND_FILENAME.sub("", visible))
    return _AROUND_FILENAME.sub("", cleaned) or UNNAMED_FILE


def _shortened(filename: str) -> str:
    if len(filename) <= NAME_MAX_CHARACTERS:
        return filename
    stem, dot, extension = filename.rpartition(".")
    keep = NAME_MAX_CHARACTERS - len(dot + extension)
    return stem[:keep] + dot + extension if stem and keep > 0 else filename[:NAME_MAX_CHARACTERS]


def quoted(text: str) -> str:
    """The text as a message repeats it: one that is longer than 100 characters is cut."""
    return text if len(text) <= QUOTED_MAX_CHARACTERS else f"{text[: QUOTED_MAX_CHARACTERS - 1]}…"
