"""Who is shown a part of the images reads little more than it, whatever is asked for and in whichever order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.seed import identifier, seed
from gallery.container import Container, open_container
from gallery.domain.access import Role, Viewer
from gallery.domain.ids import AlbumId, TagId
from gallery.domain.pages import PageRequest
from gallery.platform.database.linked_images import SqlLinkedImageReader
from gallery.web.graphql.ids import tag_global_id
from tests.entities import a_viewer
from tests.integration.plan_cases import ALBUM, AMOUNTS, FILTERS, OF_TAG, ORDERS, assert_reads_no_table, pages
from tests.integration.plan_support import Plan, ask, of_the_database_alone, plan_of
from tests.statements import recorded_with_parameters

HIDE_ALL = "UPDATE images SET visibility = 'PRIVATE' WHERE visibility <> 'PRIVATE'"
SHOW_THE_OLDEST = """
UPDATE images SET visibility = 'PUBLIC'
WHERE id IN (SELECT id FROM images WHERE deleted_at IS NULL ORDER BY uploaded_at LIMIT 100)
"""
SHOW_MOST = "UPDATE images SET visibility = 'PUBLIC' WHERE hashtext(id::text) % 10 <> 0"
OWN_SOME = "UPDATE images SET owner = :viewer WHERE id IN (SELECT id FROM images ORDER BY checksum LIMIT 100)"
OWN_PUBLIC = "UPDATE images SET owner = :viewer WHERE hashtext(id::text) % 4 = 1"
ADD_ACCOUNT = """
INSERT INTO accounts (id, name, key, kind, role, created_at) VALUES (:viewer, :name, :name, 'person', 'VIEWER', now())
"""
SHARE = """
INSERT INTO album_shares (album_id, account_id, level, shared_by, shared_at)
SELECT id, :viewer, 'VIEW', owner, now() FROM albums WHERE id = ANY(:albums)
"""
OFFER = "UPDATE album_images SET is_offered = true WHERE album_id = ANY(:albums) AND position % 5 = 0"
TAG: Final = tag_global_id(TagId(identifier(2, 0)))
SHARED: Final = [identifier(3, 7), identifier(3, 70)]


CASES: Final = {
    "few": (HIDE_ALL, SHOW_THE_OLDEST, OWN_SOME),
    "most": (HIDE_ALL, SHOW_MOST, OWN_SOME),
    "own public": (HIDE_ALL, SHOW_MOST, OWN_PUBLIC),
}
MOST_READ: Final = {"few": 300, "most": 2_000, "own public": 500}
"""How many images a page may look at, of 20,000: all that are shown, or as many as are passed by to find 20."""


@dataclass(frozen=True)
class Shown:
    """A gallery of which a viewer is shown some."""

    container: Container
    viewer: Viewer
    case: str

    def check(self, plan: Plan) -> None:
        """That a page comes from indexes, and looks at no more images than it should."""
        assert_reads_no_table([plan])
        assert plan.images_read is not None
        assert plan.images_read <= MOST_READ[self.case], f"{plan.images_read}, {sorted(plan.indexes)}: {plan.statement}"


@pytest.fixture(scope="module")
async def container(shared_database_url: str) -> AsyncIterator[Container]:
    """A gallery of many images without a cache; queries ask nothing of the storage."""
    await seed(shared_database_url, AMOUNTS)
    async with open_container(of_the_database_alone(shared_database_url)) as container:
        yield container


@pytest.fixture(scope="module", params=["few", "most"])
async def shown(request: pytest.FixtureRequest, container: Container, shared_database_url: str) -> Shown:
    """The gallery with its images shown as the case says, and some of two albums offered to the viewer."""
    viewer = a_viewer(Role.VIEWER)
    values = {"viewer": viewer.id, "name": str(viewer.id), "albums": SHARED}
    engine = create_async_engine(shared_database_url, isolation_level="AUTOCOMMIT")  # without limits of time
    async with engine.connect() as connection:
        for statement in (*CASES[request.param], ADD_ACCOUNT, SHARE, OFFER):
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            await connection.execute(text(statement), used)
        await connection.execute(text("VACUUM ANALYZE"))
    await engine.dispose()
    return Shown(container, viewer, request.param)


@pytest.mark.parametrize("field", ORDERS)
@pytest.mark.parametrize("name", FILTERS)
async def test_pages_look_at_few_images(shown: Shown, name: str, field: str) -> None:
    arguments: dict[str, tuple[str, Any]] = {"filter": ("ImageFilter", FILTERS[name][0]), "sort": ("ImageSort", None)}
    order = {"field": field, "direction": "DESC"}  # the last pages are read the other way

    plans = await pages(shown.container, "images", arguments, order, shown.viewer, answers=True)

    assert len(plans) == 4
    for plan in plans:
        shown.check(plan)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("shown", ["few"], indirect=True)
async def test_counts_look_at_what_is_shown(shown: Shown, name: str) -> None:
    document = "query ($filter: ImageFilter) { images(filter: $filter) { totalCount } }"

    _, plans = await ask(shown.container, document, {"filter": FILTERS[name][0]}, shown.viewer, answers=True)

    [count] = [plan for plan in plans if "count(" in plan.statement]
    shown.check(count)


@pytest.mark.parametrize("field", ORDERS)
@pytest.mark.parametrize("shown", ["own public"], indirect=True)
async def test_ones_own_images_are_not_passed_by_since_they_are_public(shown: Shown, field: str) -> None:
    order = {"field": field, "direction": "DESC"}

    plans = await pages(shown.container, "images", {"sort": ("ImageSort", None)}, order, shown.viewer, answers=True)

    assert len(plans) == 4
    for plan in plans:
        shown.check(plan)


@pytest.mark.parametrize("kind", ["Album", "Tag"])
async def test_images_of_albums_and_tags_come_from_their_index(shown: Shown, kind: str) -> None:
    id_, index = (ALBUM, "uq_album_images_album_id_position") if kind == "Album" else (TAG, *OF_TAG)
    document = f'{{ node(id: "{id_}") {{ ... on {kind} {{ images(first: 2) {{ nodes {{ id }} }} }} }} }}'

    _, plans = await ask(shown.container, document, {}, shown.viewer)

    [page] = [plan for plan in plans if "LIMIT" in plan.statement]
    assert_reads_no_table([page])
    assert index in page.indexes, page.statement


async def test_images_of_a_linked_album_come_from_its_index(shown: Shown) -> None:
    with recorded_with_parameters(shown.container.engine) as statements:
        await SqlLinkedImageReader(shown.container.engine).page(AlbumId(SHARED[0]), PageRequest(limit=2))

    page = await plan_of(shown.container.engine, statements[0])
    assert_reads_no_table([page])
    assert "uq_album_images_album_id_position" in page.indexes, page.statement
