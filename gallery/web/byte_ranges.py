"""Parts of a file, as clients ask for them (RFC 9110, section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_RANGE = re.compile(r"bytes=[ \t]*(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))[ \t]*", re.IGNORECASE | re.ASCII)


class UnsatisfiableRangeError(Exception):
    """The range lies outside the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteRange:
    """The bytes from `first` to `last` inclusive of a file of `total_bytes`."""

    first: int
    last: int
    total_bytes: int

    @classmethod
    def requested(cls, field: str, total_bytes: int) -> Self | None:
        """The part that a `Range` field asks for; None where the whole file is to be sent.

        The specification lets a server send the whole for fields that it cannot read, for other units, and for
        several ranges at once, of which no viewer of images makes use.

        Raises:
            UnsatisfiableRangeError: if no byte of the range is in the file.
        """
        match = _RANGE.fullmatch(field)
        if match is None:
            return None
        first_text, last_text, suffix_text = match.groups()
        end = total_bytes - 1
        if suffix_text is not None:
            first, last = max(0, total_bytes - int(suffix_text)), end
        else:
            first, last = int(first_text), end if last_text is None else int(last_text)
            if last_text is not None and last < first:
                return None
        if first > end:
            raise UnsatisfiableRangeError
        return cls(first=first, last=min(last, end), total_bytes=total_bytes)

    @property
    def size_bytes(self) -> int:
        """How many bytes it has."""
        return self.last - self.first + 1

    @property
    def content_range(self) -> str:
        """The value of the `Content-Range` field of its answer."""
        return f"bytes {self.first}-{self.last}/{self.total_bytes}"
