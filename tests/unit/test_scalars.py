"""What the schema's own scalars take and give."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from graphql import GraphQLScalarType

from gallery.web.graphql.schema import schema


def scalar(name: str) -> GraphQLScalarType:
    found = schema._schema.type_map[name]
    assert isinstance(found, GraphQLScalarType)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31t14:30:00.25+02:30", datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)),
    ],
)
def test_a_time_with_its_zone_is_taken(text: str, expected: datetime) -> None:
    parsed = scalar("DateTime").parse_value(text)
    assert (parsed, parsed.tzinfo) == (expected, UTC)


@pytest.mark.parametrize("text", ["2026-01-31T12:00:00", "2026-01-31", "yesterday", "", "2026-13-01T00:00:00Z"])
def test_a_time_without_zone_or_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a date and time with its zone; write it like"):
        scalar("DateTime").parse_value(text)


def test_a_number_is_no_time() -> None:
    with pytest.raises(ValueError, match="a date and time is a string such as"):
        scalar("DateTime").parse_value(1_767_225_600)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(0))), "2026-01-31T12:00:00+00:00"),
        (datetime(2026, 1, 31, 12, 0, 0, 120, tzinfo=UTC), "2026-01-31T12:00:00.000120+00:00"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00+00:00"),
        (datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))), "2026-01-31T12:00:00+02:00"),
    ],
    ids=["a full second", "microseconds", "the first year", "another zone"],
)
def test_times_are_given_as_rfc_3339(moment: datetime, expected: str) -> None:
    assert scalar("DateTime").serialize(moment) == expected
    assert expected == moment.isoformat()


def test_sizes_go_beyond_32_bits() -> None:
    assert scalar("ByteSize").serialize(2**40) == 2**40
    assert scalar("ByteSize").parse_value(2**40) == 2**40


@pytest.mark.parametrize("value", [-1, 1.5, "1", True, None])
def test_what_is_no_number_of_bytes_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is not a number of bytes"):
        scalar("ByteSize").parse_value(value)


def test_a_file_cannot_be_written_into_variables() -> None:
    with pytest.raises(ValueError, match="a file is sent as a part of a multipart request"):
        scalar("Upload").parse_value("cat.jpg")


def test_a_file_is_never_part_of_an_answer() -> None:
    with pytest.raises(TypeError, match="a file is never part of an answer"):
        scalar("Upload").serialize("cat.jpg")
