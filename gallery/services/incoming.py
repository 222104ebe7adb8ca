"""What every byte of a file passes on its way into the storage: a limit, and a check that the image has its end.

A refusal is raised to the storage, which then keeps nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator

from gallery.domain.errors import FileTooLargeError, TruncatedImageError
from gallery.domain.ports import WholenessCheck


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


async def followed(head: bytes, rest: AsyncIterable[bytes], check: WholenessCheck) -> AsyncIterator[bytes]:
    """The head, then the rest.

    Raises:
        TruncatedImageError: at the end, if the file ended before the image did.
    """
    check.feed(head)
    yield head
    async for chunk in rest:
        check.feed(chunk)
        yield chunk
    if not check.is_whole:
        raise TruncatedImageError
