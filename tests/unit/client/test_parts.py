"""Which parts of a staged upload are to be sent."""

from __future__ import annotations

from gallery.client.parts import BegunUpload, Part


def an_upload(*, size: int, parts: dict[int, int], state: str = "OPEN") -> BegunUpload:
    return BegunUpload.of(
        {
            "id": "upl_1",
            "state": state,
            "fileSize": size,
            "partSize": 10,
            "parts": [{"number": number, "size": size} for number, size in parts.items()],
        }
    )


def test_of_a_new_upload_all_parts_are_missing_and_the_last_is_the_rest() -> None:
    assert an_upload(size=25, parts={}).missing() == (
        Part(number=1, first_byte=0, size_bytes=10),
        Part(number=2, first_byte=10, size_bytes=10),
        Part(number=3, first_byte=20, size_bytes=5),
    )


def test_a_file_of_whole_parts_has_no_empty_one_at_its_end() -> None:
    assert [part.size_bytes for part in an_upload(size=20, parts={}).missing()] == [10, 10]


def test_what_has_arrived_is_not_missing() -> None:
    assert [part.number for part in an_upload(size=25, parts={1: 10, 3: 5}).missing()] == [2]


def test_a_part_of_a_wrong_size_is_missing() -> None:
    assert [part.number for part in an_upload(size=25, parts={1: 10, 2: 9, 3: 10}).missing()] == [2, 3]


def test_of_a_complete_upload_nothing_is_missing() -> None:
    assert an_upload(size=25, parts={}, state="COMPLETED").missing() == ()
