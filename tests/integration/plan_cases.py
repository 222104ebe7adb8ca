"""What lists of images are asked for, and the indexes that they should be read by."""

from __future__ import annotations

from typing import Any

from benchmarks.seed import Amounts, identifier
from benchmarks.seed_rows import moment_of, tag_name
from gallery.container import Container
from gallery.domain.access import LOCAL_ADMINISTRATOR, Viewer
from gallery.domain.ids import AlbumId
from gallery.web.graphql.ids import album_global_id
from tests.integration.plan_support import Plan, ask

AMOUNTS = Amounts(images=20_000, tags=5_000, albums=2_000)
LARGE = {"images", "renditions", "image_tags", "album_images"}
"""Tables of which no query may read all rows."""

ALBUM = album_global_id(AlbumId(identifier(3, 7)))

COMMON, RARE = tag_name(0), tag_name(4_000)

OF_ALL = frozenset({"ix_images_uploaded_at_id"})
OF_NAMES = frozenset({"ix_images_uploaded_at_id_names"})
OF_TYPE = frozenset({"ix_images_content_type_uploaded_at_id"})
OF_TAG = frozenset({"ix_image_tags_tag_id_uploaded_at_image_id"})
OF_ALBUM = frozenset({"ix_album_images_album_id_uploaded_at_image_id"})
OF_WHOLE_ALBUM = OF_ALBUM | {"pk_album_images"}
TRIGRAMS, CHARACTERS = frozenset({"ix_images_text"}), frozenset({"ix_images_characters"})

FILTERS: dict[str, tuple[dict[str, Any], frozenset[str], frozenset[str]]] = {
    "nothing": ({}, OF_ALL, OF_ALL),
    "common text": ({"text": "harbour"}, OF_ALL, OF_NAMES),
    "rare text": ({"text": "012345"}, TRIGRAMS, TRIGRAMS),
    "short common text": ({"text": "ha"}, OF_ALL, OF_NAMES),
    "short rare text": ({"text": "京都"}, CHARACTERS, CHARACTERS),
    "common tag": ({"tags": [COMMON]}, OF_TAG, OF_TAG),
    "rare tag": ({"tags": [RARE]}, OF_TAG, OF_TAG),
    "unknown tag": ({"tags": ["no such tag"]}, OF_TAG, OF_TAG),
    "any rare tag": ({"tags": [RARE, tag_name(4_001)], "tagMode": "ANY"}, OF_TAG, OF_TAG),
    "all tags": ({"tags": [COMMON, tag_name(1)], "tagMode": "ALL"}, OF_TAG, OF_TAG),
    "album": ({"albumId": ALBUM}, OF_ALBUM, OF_WHOLE_ALBUM),
    "tag in album": ({"albumId": ALBUM, "tags": [COMMON]}, OF_ALBUM, OF_WHOLE_ALBUM),
    "text in album": ({"albumId": ALBUM, "text": "harbour"}, OF_ALBUM, OF_WHOLE_ALBUM),
    "common type": ({"contentTypes": ["JPEG"]}, OF_ALL, OF_TYPE),
    "rare type": ({"contentTypes": ["GIF"]}, OF_TYPE, OF_TYPE),
    "rare types": ({"contentTypes": ["GIF", "AVIF"]}, OF_TYPE, OF_TYPE),
    "from": ({"uploadedFrom": moment_of(19_000).isoformat()}, OF_ALL, OF_ALL),
    "to": ({"uploadedTo": moment_of(1_000).isoformat()}, OF_ALL, OF_ALL),
    "rare tag from": ({"tags": [COMMON], "uploadedFrom": moment_of(19_000).isoformat()}, OF_TAG, OF_TAG),
}
"""What is asked for, the index of its newest images, and the index that it is counted by, or one of several."""

ORDERS = {
    "UPLOADED_AT": "ix_images_uploaded_at_id",
    "TITLE": "ix_images_sort_title_id",
    "FILE_SIZE": "ix_images_file_size_bytes_id",
}


async def pages(
    container: Container,
    field: str,
    arguments: dict[str, tuple[str, Any]],
    order: dict[str, str],
    viewer: Viewer = LOCAL_ADMINISTRATOR,
    *,
    answers: bool = False,
) -> list[Plan]:
    """The plans of the first page of a list, the one after it, the last one, and the one before a cursor."""
    declared = "".join(f", ${name}: {kind}" for name, (kind, _) in arguments.items())
    given = "".join(f", {name}: ${name}" for name in arguments)
    document = f"""
        query ($first: Int, $last: Int, $after: String, $before: String{declared}) {{
            {field}(first: $first, last: $last, after: $after, before: $before{given}) {{
                nodes {{ id }} pageInfo {{ startCursor endCursor }}
            }}
        }}
    """
    variables = {name: value for name, (_, value) in arguments.items()} | ({"sort": order} if order else {})
    first, plans = await ask(container, document, {**variables, "first": 20}, viewer, answers=answers)
    cursor = first[field]["pageInfo"]["endCursor"]
    for request in ({"first": 20, "after": cursor}, {"last": 20}, {"last": 20, "before": cursor}):
        plans += (await ask(container, document, {**variables, **request}, viewer, answers=answers))[1]
    return [plan for plan in plans if "LIMIT" in plan.statement]


def assert_reads_no_table(plans: list[Plan]) -> None:
    for plan in plans:
        assert not plan.scanned & LARGE, plan.statement
