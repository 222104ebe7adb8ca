"""Rules for names, descriptions and file names."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.names import clean_description, clean_filename, clean_name, clean_search_text, quoted

REORDERING_MARKS = [*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))]
LINE_SEPARATORS = ["\u2028", "\u2029"]
CONTROLS = [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0))]
LONE_SURROGATES = ["\ud800", "\udbff", "\udc00", "\udfff"]

any_text = st.text(alphabet=st.characters())  # lone surrogates too


def name(text: str) -> str:
    return clean_name(text, what="The title", field=("title",))


def refused_name(text: str) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as refusal:
        name(text)
    return refusal.value


def refused_description(text: str) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as refusal:
        clean_description(text)
    return refusal.value


@pytest.mark.parametrize("length", [1, 254, 255])
def test_a_name_of_1_to_255_characters_is_kept(length: int) -> None:
    assert name("é" * length) == "é" * length


def test_a_name_of_256_characters_is_refused_with_its_length() -> None:
    refusal = refused_name("n" * 256)

    assert refusal.code is ErrorCode.INVALID_NAME
    assert refusal.field == ("title",)
    assert refusal.message == "The title has 256 characters; at most 255 are allowed."


def test_a_name_is_measured_after_trimming_and_composing() -> None:
    assert name("  " + "e\u0301" * 255 + "  ") == "é" * 255


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\u00a0\u2003"])
def test_an_empty_name_is_refused(text: str) -> None:
    refusal = refused_name(text)

    assert refusal.code is ErrorCode.INVALID_NAME
    assert refusal.message == "The title is empty. Give it 1 to 255 characters."


@pytest.mark.parametrize("mark", [*CONTROLS, *REORDERING_MARKS, *LINE_SEPARATORS, *LONE_SURROGATES], ids=ascii)
def test_a_name_with_a_control_character_inside_is_refused(mark: str) -> None:
    refusal = refused_name(f"har{mark}bour")

    assert refusal.code is ErrorCode.INVALID_NAME
    assert refusal.message == "The title contains control characters. Remove them."


@pytest.mark.parametrize(
    "text",
    [
        "\N{WOMAN}\u200d\N{WOMAN}\u200d\N{GIRL}",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a non-joiner
        "\u200f\u05e9\u05dc\u05d5\u05dd\u200e",  # Hebrew, between marks of direction
        "\u2764\ufe0f",
        "'; DROP TABLE tags; --",
    ],
)
def test_a_name_may_hold_what_scripts_and_emoji_need(text: str) -> None:
    assert name(text) == text


def test_a_name_is_composed_and_trimmed() -> None:
    assert name("\t Cafe\u0301 \n") == "Caf\u00e9"


@given(any_text)
def test_a_cleaned_name_keeps_every_rule_and_cleaning_it_again_changes_nothing(text: str) -> None:
    try:
        cleaned = name(text)
    except InvalidInputError as refusal:
        assert refusal.code is ErrorCode.INVALID_NAME  # noqa: PT017  # any other error fails the test
        return

    assert 1 <= len(cleaned) <= 255
    assert cleaned == cleaned.strip() == unicodedata.normalize("NFC", cleaned)
    assert cleaned.encode()
    assert name(cleaned) == cleaned


def test_no_description_stays_none() -> None:
    assert clean_description(None) is None


@pytest.mark.parametrize("text", ["", "  ", "\n\t"])
def test_a_description_of_white_space_becomes_none(text: str) -> None:
    assert clean_description(text) is None


def test_a_description_keeps_line_breaks_and_tabs_and_is_composed() -> None:
    assert clean_description("  a\r\n\tCafe\u0301\u2028b ") == "a\r\n\tCafé\u2028b"


@pytest.mark.parametrize("length", [9_999, 10_000])
def test_a_description_of_up_to_10_000_characters_is_kept(length: int) -> None:
    assert clean_description("d" * length) == "d" * length


def test_a_longer_description_is_refused_with_its_length() -> None:
    refusal = refused_description("d" * 10_001)

    assert refusal.code is ErrorCode.INVALID_DESCRIPTION
    assert refusal.field == ("description",)
    assert refusal.message == "The description has 10,001 characters; at most 10,000 are allowed."


@pytest.mark.parametrize(
    "mark", [*sorted(set(CONTROLS) - set("\t\n\r")), *REORDERING_MARKS, *LONE_SURROGATES], ids=ascii
)
def test_a_description_with_a_control_character_inside_is_refused(mark: str) -> None:
    refusal = refused_description(f"a{mark}b")

    assert refusal.code is ErrorCode.INVALID_DESCRIPTION
    assert refusal.message == "The description contains control characters. Remove them."


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("harbour.jpg", "harbour.jpg"),
        ("/home/ada/harbour.jpg", "harbour.jpg"),
        ("C:\\Users\\Ada\\harbour.jpg", "harbour.jpg"),
        ("../../etc/passwd", "passwd"),
        ("mixed/of\\both.png", "both.png"),
        (".htaccess", "htaccess"),
        ("harbour.jpg. . ", "harbour.jpg"),
        ("\u00a0harbour.jpg\u2003", "harbour.jpg"),
        ("har\x00bour\r\n.jpg", "harbour.jpg"),
        ("gpj.\u202eexe", "gpj.exe"),
        ("caf\udce9.jpg", "caf.jpg"),
        ("Cafe\u0301.jpg", "Café.jpg"),
        ("Cafe\x00\u0301.jpg", "Café.jpg"),
        ("<script>.svg", "<script>.svg"),
    ],
)
def test_a_file_name_is_made_safe_to_show(sent: str, kept: str) -> None:
    assert clean_filename(sent) == kept


@pytest.mark.parametrize("sent", [None, "", " ", ".", "..", "folder/", "\\", "\x00", "\u202e", "\u00a0."])
def test_a_file_name_of_which_nothing_is_left_becomes_unnamed(sent: str | None) -> None:
    assert clean_filename(sent) == "unnamed"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("n" * 251 + ".jpg", "n" * 251 + ".jpg"),
        ("n" * 252 + ".jpg", "n" * 251 + ".jpg"),
        ("n" * 300, "n" * 255),
        ("n." + "x" * 300, "n." + "x" * 253),
        ("n" + "." + "x" * 254, "n." + "x" * 253),
        ("ab." + "x" * 253, "a." + "x" * 253),
    ],
)
def test_a_long_file_name_is_cut_to_255_characters_and_keeps_an_extension_that_fits(sent: str, kept: str) -> None:
    assert clean_filename(sent) == kept


def test_a_long_file_name_that_is_cut_at_a_space_does_not_end_in_one() -> None:
    assert clean_filename("n" * 254 + " " + "n" * 10) == "n" * 254


@given(any_text)
@example("n" * 254 + ". " + "n" * 10)
@example("\u00a0.jpg")
@example("e\x00\u0301")
def test_a_cleaned_file_name_keeps_the_rules_of_names(text: str) -> None:
    cleaned = clean_filename(text)

    assert name(cleaned) == cleaned
    assert "/" not in cleaned
    assert "\\" not in cleaned
    assert clean_filename(cleaned) == cleaned


@pytest.mark.parametrize("blank", [None, "", " \t\n"])
def test_a_blank_text_to_look_for_is_none(blank: str | None) -> None:
    assert clean_search_text(blank) is None


def test_a_text_to_look_for_keeps_the_rules_of_names() -> None:
    assert clean_search_text(" Cafe\u0301 ") == "Café"

    with pytest.raises(InvalidInputError) as refusal:
        clean_search_text("a\x00b", field=("filter", "text"))

    assert (refusal.value.code, refusal.value.field) == (ErrorCode.INVALID_NAME, ("filter", "text"))
    assert refusal.value.message == "The text to look for contains control characters. Remove them."


@pytest.mark.parametrize(
    ("text", "shown"), [("", ""), ("n" * 100, "n" * 100), ("n" * 101, "n" * 99 + "…"), ("n" * 10**6, "n" * 99 + "…")]
)
def test_a_message_repeats_no_long_text(text: str, shown: str) -> None:
    assert quoted(text) == shown
