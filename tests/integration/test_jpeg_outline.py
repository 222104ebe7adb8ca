"""The outline of a JPEG file is judged as the file itself is, or says that it does not tell."""

from __future__ import annotations

from functools import cache

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from gallery.domain.errors import RefusedFileError
from gallery.domain.images import ContentType
from gallery.platform.imaging import vips
from gallery.platform.imaging.errors import UndecodableError
from gallery.platform.imaging.inspect import inspect_image
from gallery.platform.imaging.jpeg_outline import MAX_OUTLINE_BYTES, JpegOutline
from gallery.platform.imaging.layout import MAX_BLOCKS
from tests import photographs
from tests.damaged import DAMAGED, lengthened

MARKERS = [0x00, 0x01, 0x40, 0xC0, 0xC4, 0xD0, 0xD5, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xE0, 0xEE, 0xFE, 0xFF]


@cache
def sound_files() -> tuple[bytes, ...]:
    return (
        photographs.jpeg(),
        photographs.progressive_jpeg(),
        photographs.cmyk_jpeg(64, 40),
        photographs.grainy_jpeg(),
        photographs.grainy_jpeg(interlace=True),
        photographs.grainy_jpeg(restart_interval=1),
        photographs.grainy_jpeg(interlace=True, restart_interval=7),
    )


def outline_of(file: bytes, chunk_bytes: int = 65_536) -> JpegOutline:
    outline = JpegOutline()
    for start in range(0, len(file), chunk_bytes):
        outline.feed(file[start : start + chunk_bytes])
    return outline


def can_be_decoded(file: bytes) -> bool:
    try:
        vips.read_lines(vips.open_lines(ContentType.JPEG, pyvips.Source.new_from_memory(file)))
    except UndecodableError:
        return False
    return True


@pytest.mark.parametrize("number", range(len(sound_files())))
@pytest.mark.parametrize("chunk_bytes", [1, 1000, 65_536])
def test_the_outline_of_a_sound_file_is_small_and_sound(number: int, chunk_bytes: int) -> None:
    file = sound_files()[number]
    outline = outline_of(file, chunk_bytes)

    assert outline.is_telling
    assert len(outline.file()) < 2000
    assert can_be_decoded(outline.file())
    assert outline.file() == outline_of(file, len(file)).file()


def test_what_is_said_of_the_picture_is_left_out() -> None:
    assert outline_of(lengthened(photographs.jpeg(), 200_000)).file() == outline_of(photographs.jpeg()).file()


def test_what_stands_behind_the_image_is_left_out() -> None:
    file = photographs.jpeg()

    assert outline_of(file + DAMAGED["progressive jpeg"]()).file() == outline_of(file).file()


def test_damage_is_in_the_outline() -> None:
    outline = outline_of(DAMAGED["progressive jpeg"]())

    assert outline.is_telling
    assert not can_be_decoded(outline.file())


@pytest.mark.parametrize("interlace", [False, True])
@pytest.mark.parametrize(
    ("marker", "others"),
    [(b"\xff\xd3", b""), (b"\xff\xd3", b"\xff\xd4"), (b"\xff\xd3", b"\xff\xd3\xff\xd4")],
    ids=["missing", "another", "one more"],
)
def test_restart_markers_must_be_as_many_as_there_are_intervals(
    marker: bytes, others: bytes, *, interlace: bool
) -> None:
    file = photographs.grainy_jpeg(interlace=interlace, restart_interval=7)

    assert outline_of(file).is_telling
    assert not outline_of(file.replace(marker, others, 1)).is_telling


@pytest.mark.parametrize(
    ("position", "value"),
    [(1, 0xE5), (10, 200), (11, 0), (9, 40)],
    ids=["no frame", "no such component", "no sampling", "too many components"],
)
def test_a_frame_that_makes_no_sense_does_not_tell_how_many_restarts_there_should_be(position: int, value: int) -> None:
    file = bytearray(photographs.grainy_jpeg(interlace=True, restart_interval=7))
    file[file.index(b"\xff\xc2") + position] = value

    assert not outline_of(bytes(file)).is_telling


def test_an_outline_that_is_too_long_does_not_tell() -> None:
    file = photographs.jpeg()
    table = b"\xff\xdb\xff\xff" + bytes(65_533)
    outline = outline_of(file[:2] + table * 40 + file[2:])

    assert not outline.is_telling
    assert len(outline.file()) < MAX_OUTLINE_BYTES + 70_000


def test_an_outline_of_which_the_rest_was_not_looked_at_does_not_tell() -> None:
    file = DAMAGED["progressive jpeg"]()
    comments = b"\xff\xfe\x00\x02" * (MAX_BLOCKS + 1000)
    outline = outline_of(file[:2] + comments + file[2:])

    assert outline.is_given_up
    assert not outline.is_telling
    assert len(outline.file()) < 2000


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A sound file with some of its bytes changed, removed, or markers among them."""
    data = bytearray(draw(st.sampled_from(sound_files())))
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(2, len(data) - 3))
        match draw(st.sampled_from(["byte", "marker", "hole"])):
            case "byte":
                data[position] = draw(st.integers(0, 255))
            case "marker":
                data[position : position + 2] = bytes([0xFF, draw(st.sampled_from(MARKERS))])
            case _:
                del data[position : position + draw(st.integers(1, 200))]
    return bytes(data)


@settings(deadline=None, max_examples=300)
@given(damaged_files(), st.sampled_from([999, 65_536]))
def test_no_file_that_can_be_decoded_is_refused_for_its_outline(file: bytes, chunk_bytes: int) -> None:
    try:
        inspect_image(file, complete=True)
    except RefusedFileError:
        return
    outline = outline_of(file, chunk_bytes)

    assert can_be_decoded(outline.file()) or not outline.is_telling or not can_be_decoded(file)
