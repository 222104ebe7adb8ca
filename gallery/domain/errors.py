"""Everything that can go wrong in the gallery's own terms.

    GalleryError
    ├── InvalidInputError        a value breaks a rule; names the field
    │   └── IncompleteUploadError
    ├── NotFoundError            no such thing, or none that the viewer may see
    ├── ForbiddenError           the viewer lacks the right
    ├── PasswordRequiredError    what is shared wants its password, or another than was given
    ├── RateLimitedError         too many attempts; says when to try again
    ├── ConflictError            the thing exists already or has changed meanwhile
    │   └── DuplicateImageError
    ├── RefusedFileError         the file cannot become an image
    │   ├── EmptyFileError, NotAnImageError (CutOffHeaderError), UnsupportedTypeError
    │   ├── ImageTooLargeError, TruncatedImageError, CorruptImageError
    │   └── FileTooLargeError, FileMismatchError
    ├── RefusedUploadError       the file of a staged upload was refused, for any of these reasons or a like one
    ├── UploadInterruptedError   the bytes stopped coming before the end
    ├── TooManyAttemptsError     somebody was wrong too often; says when to try again
    └── UnavailableError         a service that the gallery needs does not answer
        └── OverloadedError      too many others wait for it

An error carries a code for programs and a sentence that a person can act on.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Self
from uuid import UUID

from gallery.domain.events import EntityKind


@unique
class ErrorCode(StrEnum):
    """What went wrong, for programs. The meaning of a code never changes."""

    INVALID_ID = "INVALID_ID"
    INVALID_NAME = "INVALID_NAME"
    INVALID_DESCRIPTION = "INVALID_DESCRIPTION"
    INVALID_INPUT = "INVALID_INPUT"
    INVALID_PASSWORD = "INVALID_PASSWORD"  # noqa: S105  # a word, no secret
    INVALID_CURSOR = "INVALID_CURSOR"
    INVALID_PAGE_SIZE = "INVALID_PAGE_SIZE"
    TOO_MANY_ITEMS = "TOO_MANY_ITEMS"
    TOO_MANY_ATTEMPTS = "TOO_MANY_ATTEMPTS"
    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    PASSWORD_REQUIRED = "PASSWORD_REQUIRED"  # noqa: S105  # a word, no secret
    RATE_LIMITED = "RATE_LIMITED"
    TAG_EXISTS = "TAG_EXISTS"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    FILE_EMPTY = "FILE_EMPTY"
    FILE_MISSING = "FILE_MISSING"
    FILE_TOO_LARGE = "FILE_TOO_LARGE"
    NOT_AN_IMAGE = "NOT_AN_IMAGE"
    UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"
    IMAGE_TRUNCATED = "IMAGE_TRUNCATED"
    IMAGE_CORRUPT = "IMAGE_CORRUPT"
    UPLOAD_INTERRUPTED = "UPLOAD_INTERRUPTED"
    UPLOAD_ORDER = "UPLOAD_ORDER"
    UPLOAD_STALLED = "UPLOAD_STALLED"
    UPLOAD_INCOMPLETE = "UPLOAD_INCOMPLETE"
    UPLOAD_MISMATCH = "UPLOAD_MISMATCH"
    TOO_MANY_UPLOADS = "TOO_MANY_UPLOADS"
    DUPLICATE_IMAGE = "DUPLICATE_IMAGE"
    INVALID_CHECKSUM = "INVALID_CHECKSUM"
    INVALID_IDEMPOTENCY_KEY = "INVALID_IDEMPOTENCY_KEY"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    IDEMPOTENCY_KEY_IN_USE = "IDEMPOTENCY_KEY_IN_USE"
    TOO_MANY_IDEMPOTENCY_KEYS = "TOO_MANY_IDEMPOTENCY_KEYS"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    OVERLOADED = "OVERLOADED"


class GalleryError(Exception):
    """Something that the caller is told, with its code and, for input, the field.

    `field` is the path into the caller's input, outermost name first, or empty.
    """

    code: ErrorCode

    def __init__(self, message: str, *, field: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InvalidInputError(GalleryError):
    """A value breaks a rule of the domain."""

    def __init__(self, code: ErrorCode, message: str, *, field: tuple[str, ...] = ()) -> None:
        super().__init__(message, field=field)
        self.code = code


class IncompleteUploadError(InvalidInputError):
    """Parts of an upload are missing, or not of the size that they must have. Numbers begin at 1."""

    SHOWN = 20

    def __init__(self, missing: tuple[int, ...]) -> None:
        shown = ", ".join(map(str, missing[: self.SHOWN])) + (", …" if len(missing) > self.SHOWN else "")
        which, them = ("1 part is", "it") if len(missing) == 1 else (f"{len(missing):,} parts are", "them")
        message = f"{which} missing or of a wrong size: {shown}. Send {them}, then complete again."
        super().__init__(ErrorCode.UPLOAD_INCOMPLETE, message, field=("id",))
        self.missing = missing


class NotFoundError(GalleryError):
    """No such thing exists, or none that the viewer may see: the two look the same."""

    code = ErrorCode.NOT_FOUND

    @classmethod
    def of(cls, kind: EntityKind, *, field: tuple[str, ...] = ()) -> Self:
        """The error for an id of no image, tag or album."""
        return cls(f"There is no such {kind.value}. It may have been deleted.", field=field)


class ForbiddenError(GalleryError):
    """The viewer lacks a right."""

    code = ErrorCode.FORBIDDEN


class PasswordRequiredError(GalleryError):
    """What is shared wants a password, and got none or a wrong one: the two look the same."""

    code = ErrorCode.PASSWORD_REQUIRED

    def __init__(self) -> None:
        message = "To see this takes a password, and none or a wrong one was given. Ask whoever gave you the link."
        super().__init__(message, field=("password",))


class RateLimitedError(GalleryError):
    """Too much of something that is counted. `retry_after_seconds` is when it may be tried again, at least 1."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(f"{message} Try again in {retry_after_seconds:,} s.")
        self.retry_after_seconds = retry_after_seconds


class ConflictError(GalleryError):
    """The change clashes with what is stored."""

    def __init__(self, code: ErrorCode, message: str, *, field: tuple[str, ...] = ()) -> None:
        super().__init__(message, field=field)
        self.code = code


class DuplicateImageError(ConflictError):
    """The owner has an image of the same bytes, and asked for none that is there already."""

    def __init__(self, image_id: UUID) -> None:
        super().__init__(
            ErrorCode.DUPLICATE_IMAGE,
            f"You have an image of this very file already: img_{image_id.hex}.",
            field=("file",),
        )
        self.image_id = image_id


class RefusedFileError(GalleryError):
    """The file that was sent cannot become an image of the gallery."""


class EmptyFileError(RefusedFileError):
    """The file has no bytes."""

    code = ErrorCode.FILE_EMPTY

    def __init__(self) -> None:
        super().__init__("The file is empty. Choose a file that holds an image.", field=("file",))


class NotAnImageError(RefusedFileError):
    """The bytes are of no image format, or of none that can be read."""

    code = ErrorCode.NOT_AN_IMAGE

    def __init__(self, message: str = "The file is not an image. Send a JPEG, PNG, WebP, GIF or AVIF file.") -> None:
        super().__init__(message, field=("file",))


class CutOffHeaderError(NotAnImageError):
    """The first bytes of a file do not reach to the end of its header: look at more of them."""


class UnsupportedTypeError(RefusedFileError):
    """The file is of a type that the gallery does not take."""

    code = ErrorCode.UNSUPPORTED_TYPE

    def __init__(self, content_type: str) -> None:
        super().__init__(
            f"Files of type {content_type} are not taken. Send a JPEG, PNG, WebP, GIF or AVIF file.",
            field=("file",),
        )
        self.content_type = content_type


class ImageTooLargeError(RefusedFileError):
    """The image has more pixels (width times height times frames) than the limit."""

    code = ErrorCode.TOO_MANY_PIXELS

    def __init__(self, pixels: int, limit: int) -> None:
        super().__init__(
            f"The image has {pixels:,} pixels in all its frames; at most {limit:,} are taken. Scale it down first.",
            field=("file",),
        )


class TruncatedImageError(RefusedFileError):
    """The file ends before the image does."""

    code = ErrorCode.IMAGE_TRUNCATED

    def __init__(self) -> None:
        super().__init__("The file ends before the image does. Send it again whole.", field=("file",))


class CorruptImageError(RefusedFileError):
    """The image's header is sound, its pixels are not."""

    code = ErrorCode.IMAGE_CORRUPT


class FileTooLargeError(RefusedFileError):
    """The file has more bytes than the limit."""

    code = ErrorCode.FILE_TOO_LARGE

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The file is larger than the limit of {limit_bytes:,} bytes.", field=("file",))


class FileMismatchError(RefusedFileError):
    """The file that arrived is not the one that was announced. `what` is what differs, such as "size"."""

    code = ErrorCode.UPLOAD_MISMATCH

    def __init__(self, what: str, announced: str, arrived: str) -> None:
        super().__init__(f"The {what} of the file is {arrived}, not {announced} as announced.", field=("id",))


class RefusedUploadError(GalleryError):
    """The file of a staged upload cannot become an image, now or ever. The code is that of the reason."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message, field=("id",))
        self.code = code


class UploadInterruptedError(GalleryError):
    """The bytes stopped coming before the end of the file; nothing of it was kept."""

    code = ErrorCode.UPLOAD_INTERRUPTED

    def __init__(self, message: str = "The file did not arrive whole. Send it again.") -> None:
        super().__init__(message, field=("file",))


class TooManyAttemptsError(GalleryError):
    """Somebody was wrong too often: nothing is looked at before the time is over, whatever it is."""

    code = ErrorCode.TOO_MANY_ATTEMPTS

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"There were too many wrong attempts. Try again in {retry_after_seconds} seconds.")
        self.retry_after_seconds = retry_after_seconds


class UnavailableError(GalleryError):
    """A service that the gallery needs does not answer; trying again later may help."""

    code = ErrorCode.SERVICE_UNAVAILABLE

    def __init__(self, service: str) -> None:
        super().__init__(f"The {service} does not answer at the moment. Try again in a little while.")
        self.service = service


class OverloadedError(UnavailableError):
    """Too many others wait for the same thing, or it would have to be waited for too long. Nothing was done."""

    code = ErrorCode.OVERLOADED

    def __init__(self) -> None:
        super().__init__("gallery")
        self.message = "The gallery has too much to do at the moment. Send the request again in a little while."
