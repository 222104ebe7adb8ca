"""Which file stands where: the `map` of a multipart request."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.web.errors import RequestCode, RequestError
from gallery.web.multipart import IncomingUpload
from gallery.web.multipart.file_map import place_uploads


def new_upload() -> IncomingUpload:
    return IncomingUpload(lambda: None)


def place(operations: dict[str, Any], file_map: object, max_files: int = 10) -> dict[str, IncomingUpload]:
    return place_uploads(operations, file_map, new_upload, max_files=max_files)


def test_files_take_the_places_of_nulls() -> None:
    variables: dict[str, Any] = {"a": None, "list": [1, None], "deep": {"er": [{"file": None, "title": "x"}]}}
    operations = {"query": "…", "variables": variables}

    uploads = place(operations, {"0": ["variables.a"], "b c": ["variables.list.1"], "é": ["variables.deep.er.0.file"]})

    assert list(uploads) == ["0", "b c", "é"]
    assert variables == {
        "a": uploads["0"],
        "list": [1, uploads["b c"]],
        "deep": {"er": [{"file": uploads["é"], "title": "x"}]},
    }


def test_file_in_several_places_is_one_file() -> None:
    variables: dict[str, Any] = {"a": None, "b": [None]}

    uploads = place({"variables": variables}, {"0": ["variables.a", "variables.b.0"]})

    assert variables == {"a": uploads["0"], "b": [uploads["0"]]}


def test_map_without_files_is_taken() -> None:
    assert place({"query": "{ a }"}, {}) == {}


@pytest.mark.parametrize(
    "path",
    [
        "",
        "variables",
        "variables.",
        "query",
        "extensions.file",
        "0.variables.file",
        "Variables.file",
        "variables.missing",
        "variables.missing.file",
        "variables.number",
        "variables.text",
        "variables.text.0",
        "variables.number.real",
        "variables.list",
        "variables.list.-1",
        "variables.list.+0",
        "variables.list.00",
        "variables.list. 0",
        "variables.list.\u0660",  # a digit, but not in ASCII
        "variables.list.1",
        "variables.list.99999999999999999999",
        "variables.list." + "9" * 5000,
        "variables.list.0.0",
        "variables.list.append",
        "variables.list.__class__",
        "variables.__class__",
        "variables.__proto__.file",
        "variables.constructor.prototype",
        "variables.file.__init__.__globals__",
        "variables..file",
    ],
)
def test_path_that_does_not_lead_to_a_null_in_the_variables_is_refused(path: str) -> None:
    variables = {"file": None, "number": 1, "text": "x", "list": [None]}
    operations = {"query": "…", "extensions": {"file": None}, "variables": variables}

    with pytest.raises(RequestError) as refusal:
        place(operations, {"0": [path]})

    assert refusal.value.code is RequestCode.INVALID_MAP
    assert operations == {
        "query": "…",
        "extensions": {"file": None},
        "variables": {"file": None, "number": 1, "text": "x", "list": [None]},
    }


@pytest.mark.parametrize("variables", [None, [], "x", 1])
def test_variables_that_are_no_object_are_refused(variables: object) -> None:
    with pytest.raises(RequestError, match="leads nowhere"):
        place({"variables": variables}, {"0": ["variables.file"]})


def test_operations_without_variables_are_refused() -> None:
    with pytest.raises(RequestError, match='there is no "variables"'):
        place({"query": "…"}, {"0": ["variables.file"]})


@pytest.mark.parametrize("file_map", [None, [], "x", 1, ["variables.file"]])
def test_map_that_is_no_object_is_refused(file_map: object) -> None:
    with pytest.raises(RequestError, match="not a JSON object"):
        place({"variables": {"file": None}}, file_map)


@pytest.mark.parametrize("paths", [None, "variables.file", {}, [], [1], ["variables.file", None]])
def test_paths_that_are_no_list_of_strings_are_refused(paths: object) -> None:
    with pytest.raises(RequestError, match="no list of paths"):
        place({"variables": {"file": None}}, {"0": paths})


def test_two_files_for_one_place_are_refused() -> None:
    with pytest.raises(RequestError, match="does not lead to null"):
        place({"variables": {"file": None}}, {"0": ["variables.file"], "1": ["variables.file"]})


def test_more_files_than_the_limit_are_refused() -> None:
    variables: dict[str, Any] = {"files": [None, None, None]}

    with pytest.raises(RequestError) as refusal:
        place({"variables": variables}, {str(name): [f"variables.files.{name}"] for name in range(3)}, max_files=2)

    assert (refusal.value.code, refusal.value.status) == (RequestCode.TOO_MANY_FILES, 413)
    assert variables == {"files": [None, None, None]}


json_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values, max_size=3),
)


@given(st.dictionaries(st.text(max_size=3), json_values, max_size=3), st.text())
def test_whatever_the_path_is_it_is_followed_or_refused(variables: dict[str, Any], path: str) -> None:
    try:
        uploads = place({"variables": variables}, {"0": [f"variables.{path}"]})
    except RequestError as refusal:
        assert refusal.code is RequestCode.INVALID_MAP  # noqa: PT017  # both endings are right
    else:
        assert repr(uploads["0"]) in repr(variables)
