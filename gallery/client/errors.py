"""What goes wrong between a client and a gallery.

ClientError
├── GaveUpError             what would pass with time has lasted too long
├── UnexpectedAnswerError   the other side is no gallery, or none that this client knows
├── RefusedError            the gallery says no, with its code
│   └── GoneError           what was begun is not there any more
└── TransientError          passes with time; never leaves this package
"""

from __future__ import annotations

from collections.abc import Sequence


class ClientError(Exception):
    """A sentence for a person."""


class TransientError(ClientError):
    """The same call may succeed in a while."""


class GaveUpError(ClientError):
    """A call failed again and again for as long as the client is willing to wait."""


class UnexpectedAnswerError(ClientError):
    """An answer that waiting does not change."""


class RefusedError(ClientError):
    """The gallery does not do what it was asked for. `code` is one of its `ErrorCode`s, `field` a path in the input."""

    def __init__(self, message: str, *, code: str, field: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.field = tuple(field)


class GoneError(RefusedError):
    """An upload has expired, was aborted, or was refused; or its image has been deleted since."""
