"""Files as a client sends them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gallery.client.files import CHUNK_BYTES, FileRange, Meter, content_type_of
from gallery.domain.errors import NotAnImageError, UnsupportedTypeError, UploadInterruptedError
from gallery.domain.images import ContentType
from gallery.platform.local_files import LocalFile
from tests.photographs import animated_png, avif, gif, jpeg, png, tiff, webp


def a_file(folder: Path, content: bytes) -> LocalFile:
    path = folder / "file"
    path.write_bytes(content)
    return LocalFile(path, len(content))


async def test_a_range_gives_its_bytes_and_counts_them(tmp_path: Path) -> None:
    counted: list[int] = []
    body = FileRange(a_file(tmp_path, b"0123456789"), 3, 4, counted.append)

    assert b"".join([chunk async for chunk in body]) == b"3456"
    assert sum(counted) == 4


async def test_a_range_that_is_sent_again_counts_once(tmp_path: Path) -> None:
    counted: list[int] = []
    body = FileRange(a_file(tmp_path, b"0123456789"), 0, 10, counted.append)

    for _ in range(2):
        assert b"".join([chunk async for chunk in body]) == b"0123456789"

    assert sum(counted) == 10
    body.take_back()
    assert sum(counted) == 0


async def test_a_range_of_a_file_that_has_become_shorter_fails_and_says_why(tmp_path: Path) -> None:
    file = a_file(tmp_path, b"0123456789")
    file.path.write_bytes(b"0123")
    body = FileRange(file, 0, 10, lambda _: None)

    with pytest.raises(UploadInterruptedError) as failed:
        [chunk async for chunk in body]

    assert body.failure is failed.value
    assert failed.value.message == "The file cannot be read: it has become shorter."


async def test_a_range_of_a_file_that_is_replaced_meanwhile_fails_and_says_why(tmp_path: Path) -> None:
    file = a_file(tmp_path, bytes(2 * CHUNK_BYTES))
    other = tmp_path / "other.jpg"
    other.write_bytes(bytes(2 * CHUNK_BYTES))
    body = FileRange(file, 0, 2 * CHUNK_BYTES, lambda _: None)

    chunks = aiter(body)
    await anext(chunks)
    other.replace(file.path)

    with pytest.raises(UploadInterruptedError) as failed:
        await anext(chunks)

    assert failed.value.message == "The file cannot be read: it was changed while it was sent."


async def test_a_range_of_a_file_that_is_gone_fails_and_says_why(tmp_path: Path) -> None:
    body = FileRange(LocalFile(tmp_path / "gone", 10), 0, 10, lambda _: None)

    with pytest.raises(UploadInterruptedError, match="cannot be read: No such file"):
        [chunk async for chunk in body]

    assert body.failure is not None


@pytest.mark.parametrize(
    ("photograph", "content_type"),
    [
        (jpeg, ContentType.JPEG),
        (png, ContentType.PNG),
        (lambda: animated_png(2), ContentType.PNG),
        (webp, ContentType.WEBP),
        (gif, ContentType.GIF),
        (avif, ContentType.AVIF),
    ],
)
async def test_an_image_is_known_by_its_first_bytes(
    photograph: Callable[[], bytes], content_type: ContentType, tmp_path: Path
) -> None:
    assert await content_type_of(a_file(tmp_path, photograph())) is content_type


async def test_what_cannot_be_an_image_is_not_announced(tmp_path: Path) -> None:
    with pytest.raises(NotAnImageError):
        await content_type_of(a_file(tmp_path, b"no picture at all"))
    with pytest.raises(UnsupportedTypeError):
        await content_type_of(a_file(tmp_path, tiff()))
    with pytest.raises(UploadInterruptedError):
        await content_type_of(LocalFile(tmp_path / "gone", 10))


def test_a_meter_ends_with_the_whole_file_however_it_went() -> None:
    told: list[int] = []
    meter = Meter(100, told.append)

    meter.start_at(40)
    meter.count(30)
    meter.count(-30)
    meter.finish()

    assert told == [40, 30, -30, 60]
