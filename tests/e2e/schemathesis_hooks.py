"""What Schemathesis loads: how the gallery's own scalars look, and what is a fault.

It runs in a process of Schemathesis. IDS are ids of things that are there; how the run went is written to FACTS.
"""

from __future__ import annotations

import atexit
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

IDS = os.environ["IDS"].split(",")
FACTS = Path(os.environ["FACTS"])
FAULT = "INTERNAL_ERROR"

asked: Counter[str] = Counter()
answered: Counter[str] = Counter()
codes: Counter[str] = Counter()

schemathesis.graphql.scalar("ID", (st.sampled_from(IDS) | st.text()).map(nodes.String))
schemathesis.graphql.scalar("DateTime", (st.datetimes().map(lambda day: f"{day}Z") | st.text()).map(nodes.String))
schemathesis.graphql.scalar("ByteSize", st.integers(-(2**70), 2**70).map(nodes.Int))
schemathesis.graphql.scalar("Upload", st.text(max_size=9).map(nodes.String))


@schemathesis.check
def no_fault(_context: Any, response: Any, case: Any) -> None:  # noqa: ANN401  # as Schemathesis has them
    """Whatever is asked for, the gallery is not to blame."""
    label = case.operation.label
    asked[label] += 1
    told = response.json()
    if any((told.get("data") or {}).values()):
        answered[label] += 1
    found = [error.get("extensions", {}).get("code", FAULT) for error in told.get("errors", [])]
    codes.update(found)
    assert response.status_code < 500, response.text
    assert FAULT not in found, response.text


@atexit.register
def tell() -> None:
    FACTS.write_text(json.dumps({"asked": asked, "answered": answered, "codes": codes}))
