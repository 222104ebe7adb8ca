"""What S3 and the way to it can say, in the gallery's own terms.

    UnavailableError
    ├── StorageUnreachableError    nobody answers at the endpoint
    ├── BucketMissingError         the store has no such bucket
    ├── BucketElsewhereError       the bucket is in another region
    └── StorageRefusedError        the keys are wrong, missing, or may not do this

The four come from a check only, for the person who runs the gallery: they name its bucket and endpoint. A client who
uploads is told UnavailableError.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
)

from gallery.domain.errors import ConflictError, UnavailableError

SERVICE = "storage"

STORAGE_ERRORS = (
    ClientError,  # the store answered with an error
    BotoCoreError,  # no answer, no keys, bytes that do not match their checksum
    aiohttp.ClientError,  # botocore's client passes on some of its transport's errors as they are
    OSError,  # includes TimeoutError
)
"""Everything that a call of S3 raises when it is not the caller's fault."""


class _CheckError(UnavailableError):
    """What a check found, as a sentence that the person who runs the gallery can act on."""

    def __init__(self, message: str) -> None:
        super().__init__(SERVICE)
        self.message = message
        self.args = (message,)


class StorageUnreachableError(_CheckError):
    """Nobody answers at the endpoint."""


class BucketMissingError(_CheckError):
    """The store answers and has no such bucket."""


class BucketElsewhereError(_CheckError):
    """The bucket is in another region than the one that was set."""


class StorageRefusedError(_CheckError):
    """The store does not take the keys, or they may not use the bucket."""


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raises UnavailableError in place of whatever a call of S3 raises."""
    try:
        yield
    except STORAGE_ERRORS as error:
        raise UnavailableError(SERVICE) from error


def error_code(error: ClientError) -> str:
    """The code of an error of S3; the answer to HEAD has no body, so there it is the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def http_status(error: ClientError) -> int:
    """The HTTP status of an error of S3, 0 if it is not known."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_refusal(error: BaseException) -> bool:
    """Whether the store surely did not do what it was asked for: it answered, and the answer was no.

    After any other error it may have, and the answer was lost.
    """
    cause = error.__cause__
    return isinstance(error, ConflictError) or (
        isinstance(cause, ClientError)
        and HTTPStatus.BAD_REQUEST <= http_status(cause) < HTTPStatus.INTERNAL_SERVER_ERROR
    )


def diagnosis(error: BaseException, bucket: str, endpoint_url: str, region: str) -> UnavailableError:
    """What the failure of a call that only looks whether the bucket is there tells."""
    if isinstance(error, CredentialRetrievalError | NoCredentialsError | PartialCredentialsError):
        return StorageRefusedError(
            "No keys to the storage were found. Set GALLERY_STORAGE__ACCESS_KEY_ID and "
            "GALLERY_STORAGE__SECRET_ACCESS_KEY, or give the process a role."
        )
    if not isinstance(error, ClientError):
        return StorageUnreachableError(
            f"Nothing answers at {endpoint_url}. Check GALLERY_STORAGE__ENDPOINT_URL, and that the storage runs."
        )
    status = http_status(error)
    if status == HTTPStatus.NOT_FOUND:
        return BucketMissingError(
            f"The storage at {endpoint_url} has no bucket “{bucket}”. Create it, or correct GALLERY_STORAGE__BUCKET."
        )
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return StorageRefusedError(
            f"The storage at {endpoint_url} refuses access to the bucket “{bucket}”. Check the keys "
            "(GALLERY_STORAGE__ACCESS_KEY_ID, GALLERY_STORAGE__SECRET_ACCESS_KEY, or the role) and their rights."
        )
    if status in {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.BAD_REQUEST}:
        return BucketElsewhereError(
            f"The bucket “{bucket}” is not in the region {region}. Correct GALLERY_STORAGE__REGION."
        )
    return StorageUnreachableError(f"The storage at {endpoint_url} answers with an error: {error}.")
