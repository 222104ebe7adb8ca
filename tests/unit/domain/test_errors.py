"""What callers are told when something goes wrong."""

from __future__ import annotations

from uuid import UUID

import pytest

from gallery.domain.errors import (
    ConflictError,
    CorruptImageError,
    DuplicateImageError,
    EmptyFileError,
    ErrorCode,
    FileMismatchError,
    FileTooLargeError,
    ForbiddenError,
    GalleryError,
    ImageTooLargeError,
    IncompleteUploadError,
    InvalidInputError,
    NotAnImageError,
    NotFoundError,
    PasswordRequiredError,
    RateLimitedError,
    RefusedFileError,
    RefusedUploadError,
    TruncatedImageError,
    UnavailableError,
    UnsupportedTypeError,
    UploadInterruptedError,
)


@pytest.mark.parametrize(
    ("error", "code", "field", "message"),
    [
        (
            InvalidInputError(ErrorCode.INVALID_CURSOR, "No such cursor.", field=("after",)),
            ErrorCode.INVALID_CURSOR,
            ("after",),
            "No such cursor.",
        ),
        (NotFoundError("No such image."), ErrorCode.NOT_FOUND, (), "No such image."),
        (ForbiddenError("You may not."), ErrorCode.FORBIDDEN, (), "You may not."),
        (
            PasswordRequiredError(),
            ErrorCode.PASSWORD_REQUIRED,
            ("password",),
            "To see this takes a password, and none or a wrong one was given. Ask whoever gave you the link.",
        ),
        (
            RateLimitedError("Too many.", retry_after_seconds=900),
            ErrorCode.RATE_LIMITED,
            (),
            "Too many. Try again in 900 s.",
        ),
        (
            ConflictError(ErrorCode.TAG_EXISTS, "It exists.", field=("name",)),
            ErrorCode.TAG_EXISTS,
            ("name",),
            "It exists.",
        ),
        (
            EmptyFileError(),
            ErrorCode.FILE_EMPTY,
            ("file",),
            "The file is empty. Choose a file that holds an image.",
        ),
        (
            NotAnImageError(),
            ErrorCode.NOT_AN_IMAGE,
            ("file",),
            "The file is not an image. Send a JPEG, PNG, WebP, GIF or AVIF file.",
        ),
        (NotAnImageError("No header."), ErrorCode.NOT_AN_IMAGE, ("file",), "No header."),
        (
            UnsupportedTypeError("image/tiff"),
            ErrorCode.UNSUPPORTED_TYPE,
            ("file",),
            "Files of type image/tiff are not taken. Send a JPEG, PNG, WebP, GIF or AVIF file.",
        ),
        (
            ImageTooLargeError(2_000_000, 1_000_000),
            ErrorCode.TOO_MANY_PIXELS,
            ("file",),
            "The image has 2,000,000 pixels in all its frames; at most 1,000,000 are taken. Scale it down first.",
        ),
        (
            TruncatedImageError(),
            ErrorCode.IMAGE_TRUNCATED,
            ("file",),
            "The file ends before the image does. Send it again whole.",
        ),
        (CorruptImageError("Damaged."), ErrorCode.IMAGE_CORRUPT, (), "Damaged."),
        (
            FileTooLargeError(2048),
            ErrorCode.FILE_TOO_LARGE,
            ("file",),
            "The file is larger than the limit of 2,048 bytes.",
        ),
        (
            FileMismatchError("size", "10 bytes", "9 bytes"),
            ErrorCode.UPLOAD_MISMATCH,
            ("id",),
            "The size of the file is 9 bytes, not 10 bytes as announced.",
        ),
        (
            RefusedUploadError(ErrorCode.IMAGE_CORRUPT, "Damaged."),
            ErrorCode.IMAGE_CORRUPT,
            ("id",),
            "Damaged.",
        ),
        (
            IncompleteUploadError((2, 5)),
            ErrorCode.UPLOAD_INCOMPLETE,
            ("id",),
            "2 parts are missing or of a wrong size: 2, 5. Send them, then complete again.",
        ),
        (
            IncompleteUploadError((3,)),
            ErrorCode.UPLOAD_INCOMPLETE,
            ("id",),
            "1 part is missing or of a wrong size: 3. Send it, then complete again.",
        ),
        (
            DuplicateImageError(UUID(int=10)),
            ErrorCode.DUPLICATE_IMAGE,
            ("file",),
            "You have an image of this very file already: img_0000000000000000000000000000000a.",
        ),
        (
            UploadInterruptedError(),
            ErrorCode.UPLOAD_INTERRUPTED,
            ("file",),
            "The file did not arrive whole. Send it again.",
        ),
        (
            UnavailableError("database"),
            ErrorCode.SERVICE_UNAVAILABLE,
            (),
            "The database does not answer at the moment. Try again in a little while.",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, GalleryError) else "",
)
def test_an_error_carries_a_code_a_field_and_a_sentence(
    error: GalleryError, code: ErrorCode, field: tuple[str, ...], message: str
) -> None:
    assert (error.code, error.field, error.message, str(error)) == (code, field, message, message)


def test_every_reason_to_refuse_a_file_has_a_code_of_its_own() -> None:
    codes = [error.code for error in RefusedFileError.__subclasses__()]

    assert len(codes) == len(set(codes)) == 8


def test_only_the_first_of_many_missing_parts_are_named() -> None:
    error = IncompleteUploadError(tuple(range(1, 2001)))

    assert error.missing == tuple(range(1, 2001))
    assert error.message == (
        "2,000 parts are missing or of a wrong size: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, "
        "19, 20, …. Send them, then complete again."
    )


def test_an_unsupported_type_and_an_unavailable_service_are_named_for_programs() -> None:
    assert UnsupportedTypeError("image/tiff").content_type == "image/tiff"
    assert UnavailableError("database").service == "database"


def test_a_code_is_spelt_like_its_name() -> None:
    assert all(code.value == code.name for code in ErrorCode)
