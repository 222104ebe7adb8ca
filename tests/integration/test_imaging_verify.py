"""Whether an image can be decoded: found out without keeping anything of it."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest

from gallery.domain.errors import CorruptImageError, ImageTooLargeError, NotAnImageError
from gallery.platform.imaging.renditions import VipsImageRenderer
from gallery.platform.imaging.verify import VipsImageVerifier
from tests import photographs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

SOUND: dict[str, Callable[[], bytes]] = {
    "jpeg": photographs.jpeg,
    "progressive jpeg": photographs.progressive_jpeg,
    "png": photographs.png,
    "gif": photographs.gif,
    "webp": photographs.webp,
    "animated webp": lambda: photographs.animated_webp(3),
    "avif": photographs.avif,
}


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go, to see that none is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def chunks(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("name", SOUND)
async def test_a_sound_image_passes_and_leaves_no_file(name: str, temporary_folder: Path) -> None:
    await VipsImageVerifier().verify(chunks(SOUND[name]()))

    assert left_in(temporary_folder) == []


@pytest.mark.parametrize("name", ["png", "webp"])
async def test_damaged_pixels_are_found_although_the_file_has_its_end(name: str, temporary_folder: Path) -> None:
    data = bytearray(SOUND[name]())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)

    with pytest.raises(CorruptImageError) as refusal:
        await VipsImageVerifier().verify(chunks(bytes(data)))

    assert refusal.value.field == ("file",)
    assert left_in(temporary_folder) == []


async def test_a_jpeg_with_a_few_damaged_blocks_passes_since_its_renditions_can_be_made() -> None:
    data = bytearray(photographs.jpeg())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)

    await VipsImageVerifier().verify(chunks(bytes(data)))
    assert len(await VipsImageRenderer().render(chunks(bytes(data)))) == 3


async def test_a_cut_off_file_is_told_from_a_damaged_one() -> None:
    with pytest.raises(CorruptImageError) as refusal:
        await VipsImageVerifier().verify(chunks(photographs.truncated(photographs.jpeg())))

    assert refusal.value.message == "The file ends before the image does. Send it again whole."


async def test_too_many_pixels_are_not_decoded() -> None:
    with pytest.raises(ImageTooLargeError):
        await VipsImageVerifier(max_pixels=100).verify(chunks(photographs.jpeg()))


async def test_what_is_no_image_reaches_no_decoder() -> None:
    with pytest.raises(NotAnImageError):
        await VipsImageVerifier().verify(chunks(b"%PDF-1.7 and more of it"))
