"""Parts of a file, as RFC 9110 has clients ask for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.web.byte_ranges import ByteRange, UnsatisfiableRangeError

POSITIONS = st.integers(min_value=0, max_value=200)
SIZES = st.integers(min_value=1, max_value=100)


def requested(field: str, size: int = 100) -> tuple[int, int] | None:
    part = ByteRange.requested(field, size)
    return None if part is None else (part.first, part.last)


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("bytes=0-0", (0, 0)),
        ("bytes=0-99", (0, 99)),
        ("bytes=10-", (10, 99)),
        ("bytes=10-1000", (10, 99)),
        ("bytes=99-", (99, 99)),
        ("bytes=-1", (99, 99)),
        ("bytes=-100", (0, 99)),
        ("bytes=-1000", (0, 99)),
        ("BYTES=5-6", (5, 6)),
        ("bytes= 5-6 ", (5, 6)),
        ("bytes=007-0009", (7, 9)),
    ],
)
def test_one_range_is_understood(field: str, part: tuple[int, int]) -> None:
    assert requested(field) == part


@pytest.mark.parametrize(
    "field",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5",
        "bytes=6-5",
        "bytes=a-b",
        "bytes=+5-6",
        "bytes=5-6-7",
        "bytes=1_0-20",
        "bytes=\u0661-\u0662",
        "bytes =5-6",
        "items=5-6",
        "bytes=0-1,5-6",
        "bytes=0-1,",
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_what_is_not_one_range_of_bytes_means_the_whole_file(field: str) -> None:
    assert requested(field) is None


@pytest.mark.parametrize("field", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=999999999999999999-"])
def test_range_outside_the_file_is_refused(field: str) -> None:
    with pytest.raises(UnsatisfiableRangeError):
        requested(field)


@pytest.mark.parametrize("field", ["bytes=0-", "bytes=-5"])
def test_empty_file_has_no_ranges(field: str) -> None:
    with pytest.raises(UnsatisfiableRangeError):
        requested(field, size=0)


@given(first=POSITIONS, length=st.integers(min_value=0, max_value=200), size=SIZES)
def test_range_is_what_a_slice_of_the_file_is(first: int, length: int, size: int) -> None:
    file = bytes(range(size))
    wanted = file[first : first + length + 1]
    if not wanted:
        with pytest.raises(UnsatisfiableRangeError):
            requested(f"bytes={first}-{first + length}", size)
        return
    part = ByteRange.requested(f"bytes={first}-{first + length}", size)
    assert part is not None
    assert file[part.first : part.last + 1] == wanted
    assert part.size_bytes == len(wanted)
    assert part.content_range == f"bytes {wanted[0]}-{wanted[-1]}/{size}"


@given(length=st.integers(min_value=1, max_value=200), size=SIZES)
def test_suffix_is_the_end_of_the_file(length: int, size: int) -> None:
    file = bytes(range(size))
    part = ByteRange.requested(f"bytes=-{length}", size)
    assert part is not None
    assert file[part.first : part.last + 1] == file[-length:]


@given(field=st.one_of(st.text(), st.from_regex(r"bytes=[0-9, -]*")), size=st.integers(min_value=0, max_value=100))
def test_any_field_gives_a_part_of_the_file_or_is_refused(field: str, size: int) -> None:
    try:
        part = ByteRange.requested(field, size)
    except UnsatisfiableRangeError:
        return
    assert part is None or 0 <= part.first <= part.last < size
