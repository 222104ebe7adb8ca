"""Keys by which a client says that a request is the same as an earlier one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime  # dataclass fields are read at run time
from typing import Self
from uuid import UUID

from gallery.domain.albums import Album  # as above
from gallery.domain.errors import ConflictError, ErrorCode, InvalidInputError
from gallery.domain.ids import ImageId, UserId  # as above
from gallery.domain.images import Image  # as above
from gallery.domain.tags import Tag  # as above

KEY_MAX_CHARACTERS = 255
MAX_ANSWERS_OF_KEY = 4
"""How many answers are kept under one key: one for each document that repeats it."""
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a change answered with, as it was then: others may have changed or deleted it since.

    Of a change of many images only the ids of those that were there are kept, so that it is never large.
    """

    image: Image | None = None
    tag: Tag | None = None
    album: Album | None = None
    image_ids: tuple[ImageId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A key in use: whoever stored it first does the work, everybody else waits for the result.

    `operation` and `fingerprint` say what was asked for with it: the name of the mutation and a SHA-256 of its input.
    A file is part of the input by its checksum, which is known when the work is done. `result_id` is the id of what
    was made, `outcome` what the mutation said of it; both None while the work is being done. Where something was
    changed `snapshot` is kept instead, and `result_id` is that of the holder. `holder` tells claims apart that were
    taken one after the other.
    """

    owner: UserId
    key: str
    operation: str
    fingerprint: str
    holder: UUID
    touched_at: datetime
    expires_at: datetime
    result_id: UUID | None = None
    outcome: str | None = None
    file_checksum: str | None = None
    snapshot: Snapshot | None = None

    def check_same(self, operation: str, fingerprint: str) -> None:
        """Passes if the key was used for the same thing before.

        Raises:
            ConflictError: IDEMPOTENCY_KEY_REUSED.
        """
        if (operation, fingerprint) != (self.operation, self.fingerprint):
            raise key_reused()

    def completed(self, result_id: UUID, *, outcome: str | None = None, file_checksum: str | None = None) -> Self:
        """A copy with its result."""
        return replace(self, result_id=result_id, outcome=outcome, file_checksum=file_checksum)

    def changed(self, snapshot: Snapshot) -> Self:
        """A copy with the result of a change, which made nothing that could be found by an id."""
        return replace(self, result_id=self.holder, snapshot=snapshot)


def key_reused() -> ConflictError:
    """The refusal of a key that was used for something else."""
    message = "This idempotency key was used with another input. Make a new key for every new request."
    return ConflictError(ErrorCode.IDEMPOTENCY_KEY_REUSED, message, field=("idempotencyKey",))


def clean_key(key: str) -> str:
    """The key, which may be anything printable in ASCII without spaces, such as a UUID.

    Raises:
        InvalidInputError: INVALID_IDEMPOTENCY_KEY.
    """
    if _PRINTABLE.fullmatch(key) is None:
        message = f"An idempotency key has 1 to {KEY_MAX_CHARACTERS} printable ASCII characters, for example a UUID."
        raise InvalidInputError(ErrorCode.INVALID_IDEMPOTENCY_KEY, message, field=("idempotencyKey",))
    return key
