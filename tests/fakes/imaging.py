"""An inspector and a renderer that answer as they are told."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable

from gallery.domain.errors import CorruptImageError, CutOffHeaderError, EmptyFileError, RefusedFileError
from gallery.domain.images import ContentType, ImageInfo, RenditionSize
from gallery.domain.ports import RenderedImage

TRUNCATED = b"[cut off here]"
"""The end of a file that is not whole."""


class ObedientCheck:
    """Takes what was fed for a whole image unless it ends with `TRUNCATED`."""

    def __init__(self) -> None:
        self.fed = b""

    def feed(self, chunk: bytes) -> None:
        self.fed += chunk

    @property
    def is_whole(self) -> bool:
        return not self.fed.endswith(TRUNCATED)


class ObedientInspector:
    """Takes every file for `answer`, or refuses it with that."""

    def __init__(self) -> None:
        self.answer: ImageInfo | RefusedFileError = ImageInfo(
            content_type=ContentType.JPEG, width_px=400, height_px=300
        )
        self.header_bytes = 0
        """How much of a file it must see to answer."""
        self.asked: list[tuple[bytes, bool]] = []
        """The heads that were looked at, and whether each was the whole file."""
        self.followed: list[tuple[ImageInfo, ObedientCheck]] = []
        """The checks that were asked for, and what of."""

    async def inspect(self, head: bytes, *, complete: bool) -> ImageInfo:
        self.asked.append((head, complete))
        if not head:
            raise EmptyFileError
        if len(head) < self.header_bytes and not complete:
            raise CutOffHeaderError
        if isinstance(self.answer, RefusedFileError):
            raise self.answer
        return self.answer

    def follow(self, info: ImageInfo) -> ObedientCheck:
        check = ObedientCheck()
        self.followed.append((info, check))
        return check


class ObedientRenderer:
    """Makes three renditions of every image, or refuses it with `refusal`. What is to happen `meanwhile` does first."""

    def __init__(self) -> None:
        self.refusal: CorruptImageError | None = None
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        self.originals: list[bytes] = []
        """The images that renditions were made of."""

    async def render(self, chunks: AsyncIterable[bytes]) -> tuple[RenderedImage, ...]:
        original = b"".join([chunk async for chunk in chunks])
        if self.meanwhile is not None:
            await self.meanwhile()
        if self.refusal is not None:
            raise self.refusal
        self.originals.append(original)
        return tuple(
            RenderedImage(
                size=size,
                content_type="image/webp",
                width_px=40 * scale,
                height_px=30 * scale,
                data=f"{size} of ".encode() + original,
            )
            for scale, size in enumerate(RenditionSize, start=1)
        )


class ObedientVerifier:
    """Takes every image for sound, or refuses it with `refusal`. What is to happen `meanwhile` does first."""

    def __init__(self) -> None:
        self.refusal: RefusedFileError | None = None
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        self.keeps_bytes = 1_000_000
        """How large a file may be to be decoded when it has passed; larger ones must be verified."""
        self.verified: list[bytes] = []
        self.read_again: list[bytes] = []
        """Those of the verified that were read from the storage for that."""
        self.open_checks: list[ObedientPixelCheck] = []

    def follow(self, info: ImageInfo) -> ObedientPixelCheck:
        check = ObedientPixelCheck(self)
        self.open_checks.append(check)
        return check

    async def verify(self, info: ImageInfo, chunks: AsyncIterable[bytes]) -> None:
        content = b"".join([chunk async for chunk in chunks])
        await self.decode(content)
        self.read_again.append(content)

    async def decode(self, content: bytes) -> None:
        if self.meanwhile is not None:
            await self.meanwhile()
        if self.refusal is not None:
            raise self.refusal
        self.verified.append(content)


class ObedientPixelCheck:
    """Has its verifier decode what was fed."""

    def __init__(self, verifier: ObedientVerifier) -> None:
        self._verifier = verifier
        self._fed = b""

    def feed(self, chunk: bytes) -> None:
        self._fed += chunk

    async def settle(self) -> bool:
        if len(self._fed) > self._verifier.keeps_bytes:
            return False
        await self._verifier.decode(self._fed)
        return True

    def close(self) -> None:
        self._verifier.open_checks.remove(self)
