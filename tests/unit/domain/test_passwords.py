"""Rules for passwords."""

from __future__ import annotations

import pytest

from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.passwords import clean_password, is_possible_password


@pytest.mark.parametrize(
    ("password", "kept"),
    [
        ("a" * 12, "a" * 12),
        ("a" * 1024, "a" * 1024),
        (" spaces are kept ", " spaces are kept "),
        ("cafe\u0301 au lait noir", "caf\u00e9 au lait noir"),
        ("\uff50\uff41\uff53\uff53 phrases", "pass phrases"),
        ("\U0001f511" * 12, "\U0001f511" * 12),
    ],
    ids=["shortest", "longest", "spaces", "composed", "wide", "emoji"],
)
def test_what_is_long_enough_is_a_password(password: str, kept: str) -> None:
    assert clean_password(password) == kept


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("", "The password has 0 characters; choose one of at least 12."),
        ("a" * 11, "The password has 11 characters; choose one of at least 12."),
        ("e\u0301" * 11, "The password has 11 characters; choose one of at least 12."),
        ("a" * 1025, "The password is longer than 1,024 characters."),
        ("\ufdfa" * 100, "The password is longer than 1,024 characters."),
        ("e\u0301" * 600, "The password is longer than 1,024 characters."),
        ("a" * 12 + "\ud800", "The password is no text that can be encoded."),
    ],
    ids=["empty", "short", "short when composed", "long", "long when composed", "long as sent", "no text"],
)
def test_what_is_no_password_is_refused_by_field(password: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        clean_password(password, field=("new",))

    assert (refused.value.code, refused.value.message) == (ErrorCode.INVALID_PASSWORD, message)
    assert refused.value.field == ("new",)


@pytest.mark.parametrize(
    ("password", "possible"),
    [("", True), ("a" * 1024, True), ("a" * 1025, False), ("\udcff", False)],
    ids=["empty", "longest", "long", "no text"],
)
def test_what_nobody_can_have_is_known(password: str, possible: bool) -> None:
    assert is_possible_password(password) is possible
