"""What every byte of a file passes on its way, whether into the storage or back: a limit, and checks of the image.

A refusal is raised to whoever takes the bytes; the storage then keeps nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Final

from gallery.domain.errors import CutOffHeaderError, FileTooLargeError, TruncatedImageError
from gallery.domain.images import ImageInfo
from gallery.domain.ports import ImageInspector, ObjectStorage
from gallery.domain.upload_ports import ImageVerifier

LONGEST_HEAD_BYTES: Final = 4 * 1024 * 1024
"""Of a file whose header is longer than usual. What layered editors put there has a megabyte or two."""


async def limited(chunks: AsyncIterable[bytes], max_size_bytes: int) -> AsyncIterator[bytes]:
    """The chunks.

    Raises:
        FileTooLargeError: in place of the chunk that goes beyond the limit.
    """
    size_bytes = 0
    async for chunk in chunks:
        size_bytes += len(chunk)
        if size_bytes > max_size_bytes:
            raise FileTooLargeError(max_size_bytes)
        yield chunk


async def read_head(chunks: AsyncIterator[bytes], size_bytes: int) -> tuple[bytes, bool]:
    """At least the first `size_bytes` of a file, and whether that is all of it."""
    head: list[bytes] = []
    read_bytes = 0
    async for chunk in chunks:
        head.append(chunk)
        read_bytes += len(chunk)
        if read_bytes >= size_bytes:
            return b"".join(head), False
    return b"".join(head), True


@dataclass(frozen=True, slots=True)
class Identified:
    """What a file is, and what was read of it to find that out."""

    info: ImageInfo
    head: bytes


async def identified(chunks: AsyncIterator[bytes], inspector: ImageInspector, head_bytes: int) -> Identified:
    """What a file is. Profiles and descriptions can make a header longer than `head_bytes`; then more of it is read.

    Raises:
        RefusedFileError: if it cannot become an image.
    """
    head, is_all = await read_head(chunks, head_bytes)
    try:
        info = await inspector.inspect(head, complete=is_all)
    except CutOffHeaderError:
        more, is_all = await read_head(chunks, LONGEST_HEAD_BYTES - len(head))
        head += more
        info = await inspector.inspect(head, complete=is_all)
    return Identified(info, head)


class Checks:
    """Looks at one file while it passes, and says at its end whether it is an image.

    Most files are known then. Of the others, that are too large to be kept until their end, the pixels are looked at
    once they are stored: `look_again` does that.
    """

    def __init__(self, info: ImageInfo, inspector: ImageInspector, verifier: ImageVerifier) -> None:
        self._info = info
        self._verifier = verifier
        self._whole = inspector.follow(info)
        self._pixels = verifier.follow(info)
        self._is_settled = False

    async def followed(self, head: bytes, rest: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """The head, then the rest.

        Raises:
            TruncatedImageError: at the end, if the file ended before the image did.
            RefusedFileError: at the end, if the pixels cannot be decoded.
        """
        try:
            self._feed(head)
            yield head
            async for chunk in rest:
                self._feed(chunk)
                yield chunk
            if not self._whole.is_whole:
                raise TruncatedImageError
            self._is_settled = await self._pixels.settle()
        finally:
            self._pixels.close()

    async def look_again(self, storage: ObjectStorage, storage_path: str) -> None:
        """Reads the stored file, unless its pixels are known.

        Raises:
            RefusedFileError: if they cannot be decoded.
            NotFoundError: if the file is gone.
            UnavailableError: if the storage does not answer.
        """
        if not self._is_settled:
            async with storage.open(storage_path) as stored:
                await self._verifier.verify(self._info, stored.body)

    def _feed(self, chunk: bytes) -> None:
        self._whole.feed(chunk)
        self._pixels.feed(chunk)
