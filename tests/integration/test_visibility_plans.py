"""Who is shown a few of many images gets them from indexes, however many others there are."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from benchmarks.seed import Amounts, seed
from gallery.container import Container, open_container
from gallery.domain.access import Role, Viewer
from tests.entities import a_viewer
from tests.integration.plan_support import Plan, ask, of_the_database_alone

AMOUNTS = Amounts(images=10_000, tags=500, albums=200)
LARGE = {"images", "renditions", "image_tags", "album_images"}
SHOWN, OWN = "ix_images_shown_uploaded_at_id", "ix_images_owner_uploaded_at_id"
SHOW_THE_OLDEST = """
UPDATE images SET visibility = 'PUBLIC'
WHERE id IN (SELECT id FROM images WHERE deleted_at IS NULL ORDER BY uploaded_at LIMIT 100)
"""
PAGE = """
query ($first: Int, $last: Int, $after: String, $before: String) {
  images(first: $first, last: $last, after: $after, before: $before) {
    nodes { id } pageInfo { endCursor hasNextPage hasPreviousPage }
  }
}
"""


@pytest.fixture(scope="module")
async def container(shared_database_url: str) -> AsyncIterator[Container]:
    """Many private images; the oldest hundredth of them is public: it comes last of all."""
    await seed(shared_database_url, AMOUNTS)
    async with open_container(of_the_database_alone(shared_database_url)) as container:
        async with container.engine.begin() as connection:
            await connection.execute(text(SHOW_THE_OLDEST))
            await connection.execute(text("ANALYZE images"))
        yield container


@pytest.fixture(params=[Role.VIEWER, Role.EDITOR])
def viewer(request: pytest.FixtureRequest) -> Viewer:
    return a_viewer(Role(request.param))


def assert_comes_from_indexes(plans: list[Plan]) -> None:
    assert plans
    for plan in plans:
        assert not plan.scanned & LARGE, plan.statement
        assert {SHOWN, OWN} <= plan.indexes, f"{sorted(plan.indexes)}: {plan.statement}"


async def test_pages_come_from_the_public_images_and_ones_own(container: Container, viewer: Viewer) -> None:
    first, plans = await ask(container, PAGE, {"first": 20}, viewer)
    cursor = first["images"]["pageInfo"]["endCursor"]
    for request in ({"first": 20, "after": cursor}, {"last": 20}, {"last": 20, "before": cursor}):
        plans += (await ask(container, PAGE, request, viewer))[1]

    assert len(first["images"]["nodes"]) == 20
    assert len(plans) == 4
    assert_comes_from_indexes(plans)


async def test_they_are_counted_by_the_same_indexes(container: Container, viewer: Viewer) -> None:
    data, plans = await ask(container, "{ images { totalCount } }", {}, viewer)

    assert data["images"]["totalCount"] == 100
    assert_comes_from_indexes([plan for plan in plans if "count(" in plan.statement])
