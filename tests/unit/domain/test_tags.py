"""The names of tags, and when two of them are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.tags import clean_tag_name, tag_key


def test_a_name_is_trimmed_and_composed() -> None:
    assert clean_tag_name(" Cafe\u0301 ") == "Café"


def test_a_name_that_breaks_a_rule_is_refused_with_the_place_where_it_stood() -> None:
    with pytest.raises(InvalidInputError) as alone:
        clean_tag_name("")
    with pytest.raises(InvalidInputError) as in_a_list:
        clean_tag_name("t" * 256, field=("tags", "3"))

    assert alone.value.code is in_a_list.value.code is ErrorCode.INVALID_NAME
    assert alone.value.message == "The tag's name is empty. Give it 1 to 255 characters."
    assert alone.value.field == ("name",)
    assert in_a_list.value.field == ("tags", "3")


@pytest.mark.parametrize(("one", "other"), [("Sea", "sEA"), ("STRASSE", "Straße"), ("Éclair", "éCLAIR"), ("Σ", "ς")])
def test_names_that_differ_in_case_alone_have_one_key(one: str, other: str) -> None:
    assert tag_key(one) == tag_key(other)


@pytest.mark.parametrize(("one", "other"), [("Sea", "Seal"), ("Café", "Cafe"), ("a b", "ab")])
def test_other_names_have_keys_of_their_own(one: str, other: str) -> None:
    assert tag_key(one) != tag_key(other)


@given(st.text())
def test_a_key_is_its_own_key(name: str) -> None:
    assert tag_key(tag_key(name)) == tag_key(name)
