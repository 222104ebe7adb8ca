"""The subscription `uploadProgress`, over a board in memory."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest

from gallery.domain.access import LOCAL_ADMINISTRATOR
from gallery.domain.upload_ports import UploadProgress
from gallery.web.graphql.context import Context
from gallery.web.graphql.documents import Documents
from gallery.web.graphql.execution import format_result, run_subscription
from gallery.web.graphql.schema import schema
from tests.fakes.gallery import MemoryGallery
from tests.unit.test_app import parts_of

DOCUMENT = "subscription ($id: ID!) { uploadProgress(id: $id) { receivedBytes totalBytes done } }"
LONGEST = "x" * 255


async def told_of(name: str) -> list[dict[str, Any]]:
    """What is told of a name of which the board knows that all has arrived."""
    use_cases = parts_of(MemoryGallery()).use_cases
    use_cases.progress.report(LOCAL_ADMINISTRATOR.id, name, UploadProgress(received_bytes=3, total_bytes=3, done=True))
    context = Context(viewer=LOCAL_ADMINISTRATOR, use_cases=use_cases, base_url="", request_id="1")
    operation = Documents(schema).prepare(DOCUMENT, None)
    async with aclosing(run_subscription(schema, operation, {"id": name}, context)) as results:
        return [format_result(result, "1") async for result in results]


@pytest.mark.parametrize("name", ["!", LONGEST, f"{LONGEST}:0", f"{LONGEST}:99"], ids=["short", "long", "0", "99"])
async def test_uploads_are_told_of_by_any_name_that_they_may_have(name: str) -> None:
    assert await told_of(name) == [{"data": {"uploadProgress": {"receivedBytes": 3, "totalBytes": 3, "done": True}}}]


@pytest.mark.parametrize("name", ["", "a b", "ü", f"{LONGEST}x", f"{LONGEST}:", f"{LONGEST}:0x"])
async def test_other_names_are_refused(name: str) -> None:
    (answer,) = await told_of(name)

    assert answer["errors"][0]["extensions"]["code"] == "INVALID_INPUT"
