"""docs/http.md tells programmers of every code that a request can be refused with."""

from __future__ import annotations

from pathlib import Path

import pytest

from gallery.web.errors import RequestCode

TABLE = [
    line
    for line in Path(__file__).parents[2].joinpath("docs", "http.md").read_text("utf-8").splitlines()
    if line.startswith("|")
]


@pytest.mark.parametrize("code", RequestCode)
def test_code_is_in_the_table_of_statuses(code: RequestCode) -> None:
    assert any(f"`{code}`" in line for line in TABLE)
