"""The tables of `docs/security.md` name tests, and every one of them is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLES = (ROOT / "docs" / "security.md").read_text().partition("## Checklists")[2]
LINES = [line for line in TABLES.splitlines() if line.startswith("| ") and not line.endswith("| test |")]
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def test_every_line_of_the_tables_names_a_test() -> None:
    assert len(LINES) > 20
    assert [line for line in LINES if not NAMED.search(line)] == []


@pytest.mark.parametrize(("file", "name"), sorted({found for line in LINES for found in NAMED.findall(line)}))
def test_every_test_that_is_named_is_there(file: str, name: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE)
