"""Whether an image can be decoded: found out while its bytes pass, or from the stored file, and nothing is kept."""

from __future__ import annotations

import asyncio
import tempfile
from typing import TYPE_CHECKING

import pytest

from gallery.domain.errors import (
    CorruptImageError,
    ErrorCode,
    ImageTooLargeError,
    RefusedFileError,
    UnavailableError,
)
from gallery.platform.imaging.inspect import inspect_image
from gallery.platform.imaging.renditions import VipsImageRenderer
from gallery.platform.imaging.verify import DecodingLimits, VipsImageVerifier
from tests import photographs
from tests.damaged import DAMAGED, jpeg_scan, lengthened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from gallery.domain.images import ImageInfo

SOUND: dict[str, Callable[[], bytes]] = {
    "jpeg": photographs.jpeg,
    "progressive jpeg": photographs.progressive_jpeg,
    "cmyk jpeg": photographs.cmyk_jpeg,
    "cmyk jpeg without a profile": photographs.bare_cmyk_jpeg,
    "jpeg with restarts": lambda: photographs.grainy_jpeg(restart_interval=3),
    "progressive jpeg with restarts": lambda: photographs.grainy_jpeg(interlace=True, restart_interval=3),
    "png": photographs.png,
    "png of 16 bits": photographs.png_16_bit,
    "grey png": photographs.grey_png,
    "animated png": lambda: photographs.animated_png(2),
    "gif": photographs.gif,
    "animated gif": lambda: photographs.gif(frames=3),
    "webp": photographs.webp,
    "lossless webp": lambda: photographs.simple_webp(lossless=True),
    "animated webp": lambda: photographs.animated_webp(3),
    "avif": photographs.avif,
}
SMALL = DecodingLimits(kept_bytes_of_file=100_000, kept_bytes=100_000)
NOT_KEPT = 200_000
CHUNK_BYTES = 10_000


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def described(file: bytes) -> ImageInfo:
    return inspect_image(file, complete=True)


async def chunks(data: bytes, size: int = CHUNK_BYTES) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def settled(verifier: VipsImageVerifier, file: bytes) -> bool:
    """Whether the file is known to be sound once it has passed."""
    check = verifier.follow(described(file))
    try:
        async for chunk in chunks(file):
            check.feed(chunk)
        return await check.settle()
    finally:
        check.close()


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go, to see that there is none."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", SOUND)
async def test_a_sound_file_is_known_once_it_has_passed(name: str, temporary_folder: Path) -> None:
    assert await settled(VipsImageVerifier(), SOUND[name]())
    assert left_in(temporary_folder) == []


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in photographs.real_photographs()])
async def test_a_photograph_is_known_once_it_has_passed(path: Path) -> None:
    assert await settled(VipsImageVerifier(), content_of(path))


@pytest.mark.parametrize("name", SOUND)
async def test_a_stored_file_that_is_sound_passes(name: str, temporary_folder: Path) -> None:
    file = lengthened(SOUND[name](), NOT_KEPT)

    await VipsImageVerifier(SMALL).verify(described(file), chunks(file))

    assert left_in(temporary_folder) == []


@pytest.mark.parametrize("name", SOUND)
async def test_only_jpeg_files_are_known_however_large_they_are(name: str) -> None:
    assert await settled(VipsImageVerifier(SMALL), lengthened(SOUND[name](), NOT_KEPT)) is ("jpeg" in name)


@pytest.mark.parametrize("name", [name for name in DAMAGED if name != "jpeg with restarts"])
async def test_damaged_pixels_are_known_once_the_file_has_passed(name: str) -> None:
    with pytest.raises(CorruptImageError) as refusal:
        await settled(VipsImageVerifier(), DAMAGED[name]())

    assert (refusal.value.code, refusal.value.field) == (ErrorCode.IMAGE_CORRUPT, ("file",))


async def test_whether_a_jpeg_file_lacks_too_many_restart_markers_only_the_file_tells() -> None:
    assert not await settled(VipsImageVerifier(), DAMAGED["jpeg with restarts"]())


@pytest.mark.parametrize("name", DAMAGED)
async def test_damaged_pixels_of_a_stored_file_are_found(name: str) -> None:
    file = lengthened(DAMAGED[name](), NOT_KEPT)

    with pytest.raises(CorruptImageError):
        await VipsImageVerifier(SMALL).verify(described(file), chunks(file))


@pytest.mark.parametrize("name", DAMAGED)
async def test_of_what_is_refused_no_renditions_could_be_made(name: str) -> None:
    with pytest.raises(CorruptImageError):
        await VipsImageRenderer().render(chunks(DAMAGED[name]()))


async def test_a_jpeg_with_a_few_damaged_blocks_passes_since_its_renditions_can_be_made() -> None:
    data = bytearray(photographs.jpeg())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    file = jpeg_scan(bytes(data))

    assert await settled(VipsImageVerifier(), file)
    assert len(await VipsImageRenderer().render(chunks(file))) == 3


@pytest.mark.parametrize("name", ["jpeg", "png", "webp"])
async def test_too_many_pixels_are_not_decoded(name: str) -> None:
    file = SOUND[name]()

    with pytest.raises(ImageTooLargeError):
        await VipsImageVerifier(DecodingLimits(max_pixels=100)).verify(described(file), chunks(file))


@pytest.mark.parametrize("name", ["webp", "gif", "avif"])
async def test_a_file_of_which_too_much_would_be_in_memory_is_left_to_the_job(name: str) -> None:
    file = DAMAGED[name]()

    await VipsImageVerifier(DecodingLimits(max_read_bytes=100)).verify(described(file), chunks(file))


@pytest.mark.parametrize("name", ["webp", "gif", "avif", "progressive jpeg"])
async def test_a_picture_of_which_too_much_would_be_in_memory_is_left_to_the_job(name: str) -> None:
    file = DAMAGED[name]()

    await VipsImageVerifier(DecodingLimits(max_whole_pixels=100)).verify(described(file), chunks(file))


async def test_a_picture_that_is_decoded_line_by_line_is_not_too_large_for_that() -> None:
    file = DAMAGED["png"]()

    with pytest.raises(CorruptImageError):
        await VipsImageVerifier(DecodingLimits(max_whole_pixels=100)).verify(described(file), chunks(file))


async def test_files_that_find_no_room_are_known_when_others_are_gone() -> None:
    verifier, file = VipsImageVerifier(SMALL), lengthened(photographs.gif(), 60_000)
    first, second = verifier.follow(described(file)), verifier.follow(described(file))
    for check in (first, second):
        async for chunk in chunks(file):
            check.feed(chunk)

    assert (await first.settle(), await second.settle()) == (True, False)

    first.close()
    second.close()
    assert await settled(verifier, file)


@pytest.mark.parametrize("name", ["png", "webp"])
async def test_what_goes_wrong_with_the_bytes_is_said_rather_than_what_comes_of_it(name: str) -> None:
    file = lengthened(SOUND[name](), NOT_KEPT)

    async def interrupted() -> AsyncIterator[bytes]:
        yield file[:1000]
        message = "The storage does not answer."
        raise UnavailableError(message)

    with pytest.raises(UnavailableError):
        await VipsImageVerifier(SMALL).verify(described(file), interrupted())


async def test_whoever_stops_waiting_leaves_room_for_the_next() -> None:
    verifier, file = VipsImageVerifier(parallel=1), photographs.png()
    waits = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield file[:1000]
        waits.set()
        await asyncio.Event().wait()

    verifying = asyncio.create_task(verifier.verify(described(file), stuck()))
    await waits.wait()
    verifying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await verifying

    await verifier.verify(described(file), chunks(file))


async def test_only_an_outline_that_is_long_waits_for_its_turn() -> None:
    verifier, file, other = VipsImageVerifier(parallel=1), photographs.jpeg(), photographs.png()
    waits, may_go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield other[:1000]
        waits.set()
        await may_go_on.wait()
        yield other[1000:]

    verifying = asyncio.create_task(verifier.verify(described(other), slow()))
    await waits.wait()
    long = verifier.follow(described(file))
    long.feed(file[:2] + b"\xff\xe0\xff\xff" + bytes(65_533) + file[2:])
    settling = asyncio.create_task(long.settle())

    assert await settled(verifier, file)
    assert not settling.done()
    may_go_on.set()
    assert await settling
    assert verifying.done()
    await verifying


async def test_a_jpeg_file_of_countless_segments_only_the_file_tells() -> None:
    file = photographs.jpeg()
    check = VipsImageVerifier().follow(described(file))
    check.feed(file[:2] + b"\xff\xfe\x00\x02" * 200_000 + file[2:])

    assert not await check.settle()


async def test_no_more_is_read_than_the_picture_needs() -> None:
    file = photographs.jpeg() + bytes(2_000_000)
    read = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal read
        async for chunk in chunks(file):
            read += len(chunk)
            yield chunk

    await VipsImageVerifier().verify(described(file), counted())

    assert read < 1_000_000


async def test_a_file_that_ends_early_is_refused() -> None:
    file = photographs.png()

    with pytest.raises(RefusedFileError):
        await VipsImageVerifier().verify(described(file), chunks(photographs.truncated(file)))
