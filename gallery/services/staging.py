"""What is agreed on before a client sends a file to the storage: the announcement, and how it is cut into parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from gallery.domain.errors import ConflictError, ErrorCode, IncompleteUploadError, InvalidInputError, NotFoundError
from gallery.domain.names import clean_filename
from gallery.domain.upload_ports import StoredPart
from gallery.domain.uploads import Announcement, OpenUploads, Upload

MAX_PARTS = 10_000
"""As many as S3 takes."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StagingLimits:
    """How large files and parts are, how long uploads and URLs of parts live, and what one owner may have open."""

    max_file_size_bytes: int
    part_size_bytes: int
    ttl: timedelta = timedelta(days=1)
    url_ttl: timedelta = timedelta(hours=1)
    max_open_uploads: int = 1000
    max_open_bytes: int = 1024**4

    def check_room(self, there: OpenUploads, announced: Announcement) -> None:
        """Passes if an owner may have another upload open beside those that are there.

        Raises:
            ConflictError: TOO_MANY_UPLOADS.
        """
        if there.count >= self.max_open_uploads:
            message = (
                f"You have {there.count:,} uploads open, and no more than {self.max_open_uploads:,} are taken at once. "
                "Complete or abort some of them."
            )
            raise ConflictError(ErrorCode.TOO_MANY_UPLOADS, message)
        size_bytes = there.size_bytes + announced.file_size_bytes
        if size_bytes > self.max_open_bytes:
            message = (
                f"Your open uploads would have {size_bytes:,} bytes with this one, and no more than "
                f"{self.max_open_bytes:,} are taken at once. Complete or abort some of them."
            )
            raise ConflictError(ErrorCode.TOO_MANY_UPLOADS, message, field=("fileSize",))

    def part_size_for(self, file_size_bytes: int) -> int:
        """The size of all parts but the last; larger than usual where there would be too many."""
        return max(self.part_size_bytes, -(-file_size_bytes // MAX_PARTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class PartUrl:
    """Where to PUT a part, and which bytes of the file it has. Numbers begin at 1."""

    number: int
    url: str
    first_byte: int
    size_bytes: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedUpload:
    """An upload with everything that a staged one has."""

    upload: Upload
    announced: Announcement
    multipart_id: str
    part_size_bytes: int

    @classmethod
    def of(cls, upload: Upload) -> Self:
        """The same upload.

        Raises:
            NotFoundError: if it is a streamed one, or its beginning was cut off.
        """
        if upload.announced is None or upload.multipart_id is None or upload.part_size_bytes is None:
            raise _missing()
        return cls(
            upload=upload,
            announced=upload.announced,
            multipart_id=upload.multipart_id,
            part_size_bytes=upload.part_size_bytes,
        )

    @classmethod
    def living(cls, upload: Upload | None, now: datetime) -> Self:
        """The same upload.

        Raises:
            NotFoundError: if there is none, or it is a streamed one, was cut off, or has expired.
        """
        if upload is None:
            raise _missing()
        staged = cls.of(upload)
        if upload.expires_at is not None and upload.expires_at <= now:
            message = "The upload has expired. Begin a new one."
            raise NotFoundError(message, field=("id",))
        return staged

    @property
    def part_count(self) -> int:
        """How many parts the file has."""
        return -(-self.announced.file_size_bytes // self.part_size_bytes)

    def first_byte_of(self, number: int) -> int:
        """Where in the file a part begins."""
        return (number - 1) * self.part_size_bytes

    def size_of(self, number: int) -> int:
        """How many bytes a part has."""
        return min(self.part_size_bytes, self.announced.file_size_bytes - self.first_byte_of(number))

    def check_numbers(self, numbers: Sequence[int]) -> None:
        """Passes if the file has all these parts.

        Raises:
            InvalidInputError: INVALID_INPUT naming the place in the list.
        """
        for index, number in enumerate(numbers):
            if not 1 <= number <= self.part_count:
                message = f"There is no part {number:,}: the file has the parts 1 to {self.part_count:,}."
                raise InvalidInputError(ErrorCode.INVALID_INPUT, message, field=("numbers", str(index)))

    def whole(self, stored: Sequence[StoredPart]) -> list[StoredPart]:
        """The parts that make the file, in order, out of those that have arrived.

        Raises:
            IncompleteUploadError: if any is missing or not of its size.
        """
        by_number = {part.number: part for part in stored}
        numbers = range(1, self.part_count + 1)
        missing = tuple(
            number
            for number in numbers
            if number not in by_number or by_number[number].size_bytes != self.size_of(number)
        )
        if missing:
            raise IncompleteUploadError(missing)
        return [by_number[number] for number in numbers]


def clean_announcement(announced: Announcement, limits: StagingLimits) -> Announcement:
    """The announcement as it will be stored.

    Raises:
        InvalidInputError: FILE_EMPTY, FILE_TOO_LARGE or INVALID_CHECKSUM.
    """
    if announced.file_size_bytes < 1:
        message = "The file is empty. Choose a file that holds an image."
        raise InvalidInputError(ErrorCode.FILE_EMPTY, message, field=("fileSize",))
    if announced.file_size_bytes > limits.max_file_size_bytes:
        message = f"The file is larger than the limit of {limits.max_file_size_bytes:,} bytes."
        raise InvalidInputError(ErrorCode.FILE_TOO_LARGE, message, field=("fileSize",))
    return replace(
        announced,
        filename=clean_filename(announced.filename),
        checksum=None if announced.checksum is None else clean_checksum(announced.checksum),
    )


def clean_checksum(checksum: str, *, field: tuple[str, ...] = ("checksum",)) -> str:
    """The checksum in lower case.

    Raises:
        InvalidInputError: INVALID_CHECKSUM.
    """
    cleaned = checksum.strip().lower()
    if _SHA256.fullmatch(cleaned) is None:
        message = "A checksum is the SHA-256 of the file: 64 hexadecimal digits."
        raise InvalidInputError(ErrorCode.INVALID_CHECKSUM, message, field=field)
    return cleaned


def _missing() -> NotFoundError:
    message = "There is no such upload. It may have been aborted, or has expired."
    return NotFoundError(message, field=("id",))
