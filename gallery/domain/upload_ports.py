"""What uploads that survive need from outside, beside what `ports.py` has."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from gallery.domain.idempotency import Claim
from gallery.domain.ids import ImageId, UploadId, UserId
from gallery.domain.images import ImageInfo
from gallery.domain.uploads import OpenUploads, Upload

# Rows


class IntentStore(Protocol):
    """Where uploads are noted before any of their bytes are stored."""

    async def add(self, upload: Upload) -> None:
        """Stores a new upload in a transaction of its own, which does not wait for the disk.

        Raises:
            UnavailableError: if the database does not answer; the upload may be stored all the same.
        """
        ...


class UploadRepository(Protocol):
    """The uploads under way, in a unit of work."""

    async def get(self, owner: UserId, upload_id: UploadId) -> Upload:
        """The owner's upload, locked until the transaction ends.

        Raises:
            NotFoundError: if there is none, or it is somebody else's.
        """
        ...

    async def find(self, owner: UserId, upload_id: UploadId) -> Upload | None:
        """The owner's upload as it is at this moment, without a lock: for those who only look."""
        ...

    async def open_of(self, owner: UserId) -> OpenUploads:
        """What the owner has open of staged uploads, expired ones too until they are removed.

        Others who ask for the same owner wait until the transaction ends: so what is added in it is counted by them.
        """
        ...

    async def add(self, upload: Upload) -> None:
        """Stores a new upload."""
        ...

    async def save(self, upload: Upload) -> None:
        """Stores a changed upload.

        Raises:
            NotFoundError: if there is none.
        """
        ...

    async def take(self, owner: UserId, upload_id: UploadId) -> Upload:
        """The owner's upload, removed: as `get` and `delete`.

        Raises:
            NotFoundError: if there is none, or it is somebody else's.
        """
        ...

    async def delete(self, upload_ids: Collection[UploadId]) -> None:
        """Removes uploads; those that are not there do not matter."""
        ...

    async def touch(self, upload_ids: Collection[UploadId], now: datetime) -> None:
        """Says that uploads still live, in one statement."""
        ...

    async def stale(self, *, untouched_since: datetime, now: datetime, limit: int) -> tuple[Upload, ...]:
        """Uploads that nobody will finish, oldest first, locked; those that others have locked are left out.

        Open streamed ones that were not touched since a time, and staged ones, open or completed, that have expired.
        """
        ...


class ClaimRepository(Protocol):
    """The idempotency keys, in a unit of work."""

    async def take(self, claim: Claim, *, abandoned_before: datetime, now: datetime) -> Claim:
        """Stores the claim if its owner has no other of its key; answers with the one that is stored now.

        One that has expired, or has no result and was not touched since `abandoned_before`, gives way to the new one.
        Safe against others who do the same at the same time.
        """
        ...

    async def find(self, owner: UserId, key: str) -> Claim | None:
        """The claim of a key."""
        ...

    async def count(self, owner: UserId, now: datetime) -> int:
        """How many claims of the owner have not expired."""
        ...

    async def complete(self, claim: Claim) -> None:
        """Stores the result of a claim.

        Raises:
            ConflictError: VERSION_CONFLICT if the claim is not the holder's any more.
        """
        ...

    async def touch(self, holders: Collection[UUID], now: datetime) -> None:
        """Says that the work of claims goes on, in one statement."""
        ...

    async def release(self, claim: Claim) -> None:
        """Removes a claim whose work failed; does nothing if it is not the holder's any more, or has its result."""
        ...

    async def delete_expired(self, now: datetime, *, limit: int) -> int:
        """Removes what has expired, at most so many claims with their answers; answers with how many those were.

        Claims that somebody is taking at this moment are left out.
        """
        ...


class AnswerStore(Protocol):
    """The answers that were sent to requests with an idempotency key, as bytes."""

    async def keep(self, owner: UserId, key: str, request: str, answer: bytes) -> bytes:
        """Stores an answer, unless one is there for this key and request; answers with the one that is there now.

        `request` is a SHA-256 of what shapes the answer beside the input: the document and the operation's name. An
        answer lives as long as its claim. Without a claim it is not stored, and given back; so is one that would be
        more than `MAX_ANSWERS_OF_KEY` under its key.
        """
        ...


# Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """A part that has arrived. Numbers begin at 1."""

    number: int
    size_bytes: int
    etag: str


class StagingStorage(Protocol):
    """Multipart uploads that clients feed themselves. Every method raises UnavailableError if it does not answer."""

    async def begin(self, storage_path: str, *, content_type: str) -> str:
        """Begins a multipart upload; answers with its id."""
        ...

    async def part_url(
        self, storage_path: str, multipart_id: str, number: int, *, size_bytes: int, expires_in_seconds: int
    ) -> str:
        """A presigned URL to which a part of this size is PUT, and nothing larger or smaller.

        It is of no use once the upload is finished or aborted.
        """
        ...

    async def parts(self, storage_path: str, multipart_id: str) -> tuple[StoredPart, ...]:
        """The parts that have arrived, by number.

        Raises:
            NotFoundError: if there is no such upload.
        """
        ...

    async def finish(self, storage_path: str, multipart_id: str, parts: Sequence[StoredPart]) -> None:
        """Makes the parts an object. Doing it again after success is no error.

        Raises:
            NotFoundError: if there is neither such an upload nor the object.
        """
        ...

    async def abort(self, storage_path: str, multipart_id: str) -> None:
        """Throws the parts away. An upload that is not there does not matter."""
        ...


class PixelCheck(Protocol):
    """Keeps of a file what a decoder needs, while its bytes pass."""

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes, from the first of the file on."""
        ...

    async def settle(self) -> bool:
        """Decodes what was kept; False if that does not tell, and the stored file must be verified.

        Raises:
            RefusedFileError: if the pixels cannot be decoded, or are too many.
        """
        ...

    def close(self) -> None:
        """Lets go of what was kept."""
        ...


class ImageVerifier(Protocol):
    """Finds out whether an image can be decoded: whether its renditions can be made."""

    def follow(self, info: ImageInfo) -> PixelCheck:
        """A check for the file that was found to be this."""
        ...

    async def verify(self, info: ImageInfo, chunks: AsyncIterable[bytes]) -> None:
        """Reads as many of the chunks as it needs, decodes the first frame of the image, and keeps nothing.

        Raises:
            RefusedFileError: if the pixels cannot be decoded, or are too many.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedObject:
    """An object as a listing shows it."""

    storage_path: str
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenMultipartUpload:
    """A multipart upload that was begun and neither finished nor aborted."""

    storage_path: str
    multipart_id: str
    begun_at: datetime


class StorageInventory(Protocol):
    """What the storage holds. Iterating raises UnavailableError if it does not answer."""

    def objects(self) -> AsyncIterator[ListedObject]:
        """Every object of the gallery, by path."""
        ...

    def open_uploads(self) -> AsyncIterator[OpenMultipartUpload]:
        """Every multipart upload under way."""
        ...


class NamedObjects(Protocol):
    """Which objects the rows name: the other side of the comparison."""

    async def named(self, storage_paths: Collection[str]) -> set[str]:
        """Those of the paths that an image, a rendition of one, or an upload under way names."""
        ...

    async def expected(self, *, after: ImageId | None, limit: int) -> tuple[ExpectedObject, ...]:
        """What the living images and their renditions say should be there, by image id, for `limit` images."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedObject:
    """An object that a row names. `size_name` is that of a rendition, None for an original."""

    image_id: ImageId
    size_name: str | None
    storage_path: str
    size_bytes: int
    checksum: str
    stored_at: datetime


# Jobs


class HeldJobs(Protocol):
    """The jobs that were given up after several attempts."""

    async def count(self) -> int:
        """How many there are."""
        ...

    async def requeue(self) -> int:
        """Gives each as many attempts as a new one; answers with how many there were."""
        ...


# Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadProgress:
    """How much of an upload has arrived. `total_bytes` is None if nobody has said; `done` ends the story."""

    received_bytes: int
    total_bytes: int | None
    done: bool = False


class ProgressBoard(Protocol):
    """Tells whoever watches, in any process, how uploads go on. Best effort: losing news harms nothing."""

    def report(self, owner: UserId, upload: str, progress: UploadProgress) -> None:
        """Says how far an upload is, at once and without waiting."""
        ...

    def watch(self, owner: UserId, upload: str) -> AsyncGenerator[UploadProgress]:
        """What is reported from now on, beginning with the last report if there is one; ends with the upload."""
        ...
