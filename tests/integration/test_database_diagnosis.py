"""What the person who runs the gallery is told about its database."""

from __future__ import annotations

import pytest
from sqlalchemy import make_url

from gallery.platform.database.diagnosis import diagnose
from gallery.platform.database.engine import connection_limit, create_engine
from gallery.platform.database.migrate import head_revision
from gallery.settings import DatabaseSettings

WHERE = "db.example/gallery"


async def diagnosis(url: str, **changes: str) -> str | None:
    changed = make_url(url).set(**changes).render_as_string(hide_password=False)  # type: ignore[arg-type]  # parts of it
    engine = create_engine(changed, DatabaseSettings())
    try:
        return await diagnose(engine, WHERE)
    finally:
        await engine.dispose()


async def test_nothing_is_wrong_with_a_migrated_database(database_url: str) -> None:
    assert await diagnosis(database_url) is None


async def test_connections_that_are_kept_for_superusers_are_not_for_the_gallery(database_url: str) -> None:
    engine = create_engine(database_url, DatabaseSettings())
    try:
        limit = await connection_limit(engine)
        async with engine.connect() as connection:
            names = ("max_connections", "superuser_reserved_connections", "reserved_connections")
            shown = [int((await connection.exec_driver_sql(f"SHOW {name}")).scalar_one()) for name in names]
    finally:
        await engine.dispose()

    assert limit == shown[0] - shown[1] - shown[2]
    assert shown[1] > 0


async def test_a_database_that_is_not_migrated_names_its_revision_and_the_one_that_is_needed(
    empty_database_url: str,
) -> None:
    assert await diagnosis(empty_database_url) == (
        f"The database at {WHERE} is at revision none, this version of the gallery needs {head_revision()}. "
        "Run `gallery migrate`."
    )


@pytest.mark.parametrize(
    ("changes", "begin", "end"),
    [
        (
            {"database": "no_such_database"},
            f"PostgreSQL at {WHERE} has no such database (",
            "). Create it, or correct GALLERY_DATABASE__URL.",
        ),
        (
            {"username": "nobody_here"},
            f"PostgreSQL at {WHERE} refuses the user or the password in GALLERY_DATABASE__URL (",
            ").",
        ),
    ],
    ids=["database", "user"],
)
async def test_a_refusal_of_the_server_is_told_apart(
    database_url: str, changes: dict[str, str], begin: str, end: str
) -> None:
    problem = await diagnosis(database_url, **changes)

    assert problem is not None
    assert (problem[: len(begin)], problem[-len(end) :]) == (begin, end)


async def test_a_server_that_does_not_answer_is_told_with_what_to_do() -> None:
    problem = await diagnosis("postgresql://ada:hunter2@127.0.0.1:9/gallery")

    assert problem is not None
    assert problem.startswith(f"PostgreSQL at {WHERE} does not answer (")
    assert problem.endswith("). Start it, or correct GALLERY_DATABASE__URL.")
    assert "hunter2" not in problem
