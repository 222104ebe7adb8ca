"""The audit trail: a chain for each entity that shows when somebody changes what was recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gallery.domain.events import Event, JsonValue
from gallery.domain.images import Image
from gallery.platform.database.events import first_broken_event
from tests.entities import after, an_event, an_image
from tests.integration.database_support import Database, open_database
from tests.statements import recorded_statements


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


async def record(database: Database, *events: Event) -> None:
    async with database.work() as work:
        await work.events.append(*events)
        await work.commit()


async def recorded_chain(database: Database, image: Image, length: int = 4) -> list[Event]:
    """Events of one image, some in one transaction, between those of another image."""
    events = [replace(an_event(image), occurred_at=after(index)) for index in range(length)]
    await record(database, events[0])
    await record(database, an_event(an_image()), *events[1:3])
    await record(database, *events[3:])
    return events


async def test_each_event_carries_the_hash_of_the_one_before_it(database: Database) -> None:
    image = an_image()
    events = await recorded_chain(database, image)
    async with database.engine.connect() as connection:
        rows = (
            await connection.exec_driver_sql(
                f"SELECT id, entity, kind, previous_hash, hash FROM events "  # noqa: S608  # the id is ours
                f"WHERE entity_id = '{image.id}' ORDER BY sequence"
            )
        ).all()
    assert [row.id for row in rows] == [event.id for event in events]
    assert {(row.entity, row.kind) for row in rows} == {("image", "image.uploaded")}
    assert [row.previous_hash for row in rows] == [None, *(row.hash for row in rows[:-1])]
    assert {len(row.hash) for row in rows} == {32}
    assert await first_broken_event(database.engine, image.id) is None


async def test_the_first_event_of_an_entity_begins_its_chain(database: Database) -> None:
    image = an_image()
    first, second, third = (replace(an_event(image), occurred_at=after(index)) for index in range(3))
    async with database.work() as work:
        with recorded_statements(database.engine) as statements:
            await work.events.begin(first)
        await work.events.append(second)
        await work.commit()
    await record(database, third)

    assert len(statements) == 1
    assert await first_broken_event(database.engine, image.id) is None
    async with database.engine.connect() as connection:
        rows = await connection.exec_driver_sql("SELECT id, previous_hash IS NULL FROM events ORDER BY sequence")
        assert [tuple(row) for row in rows] == [(first.id, True), (second.id, False), (third.id, False)]


@pytest.mark.parametrize(
    "change",
    [
        'payload = \'{"title": "Forged"}\'',
        "actor = gen_random_uuid()",
        "occurred_at = occurred_at + interval '1 microsecond'",
        "kind = 'image.deleted'",
        "previous_hash = NULL",
        "hash = sha256('forged')",
    ],
)
async def test_a_changed_row_is_found(database: Database, change: str) -> None:
    image = an_image()
    events = await recorded_chain(database, image)
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql(
            f"UPDATE events SET {change} WHERE id = '{events[1].id}'"  # noqa: S608  # the change is ours
        )
    assert await first_broken_event(database.engine, image.id) == events[1].id


async def test_a_removed_row_is_found_by_the_one_that_followed_it(database: Database) -> None:
    image = an_image()
    events = await recorded_chain(database, image)
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql(
            f"DELETE FROM events WHERE id = '{events[1].id}'"  # noqa: S608  # the id is ours
        )
    assert await first_broken_event(database.engine, image.id) == events[2].id


async def test_whatever_json_holds_is_hashed_as_postgresql_keeps_it(database: Database) -> None:
    image = an_image()
    payload: dict[str, JsonValue] = {
        "b": [1.0, -0.0, 2.5, 1e20, True, None],
        "a": {"ü": '🌊\n"', "10": 10, "9": 9},
        "empty": {},
    }
    await record(database, replace(an_event(image), payload=payload))
    assert await first_broken_event(database.engine, image.id) is None


async def test_many_who_record_events_of_one_entity_at_once_make_one_chain(database: Database) -> None:
    image, other = an_image(), an_image()
    await asyncio.gather(
        *(record(database, an_event(image), an_event(other)) for _ in range(4)),
        *(record(database, an_event(other), an_event(image)) for _ in range(4)),
    )
    assert await database.value("SELECT count(*) FROM events") == 16
    assert await database.value("SELECT count(DISTINCT previous_hash) FROM events") == 14
    assert await first_broken_event(database.engine, image.id) is None
    assert await first_broken_event(database.engine, other.id) is None


async def test_events_that_come_alone_and_several_at_once_make_one_chain(database: Database) -> None:
    image = an_image()
    await asyncio.gather(
        *(record(database, an_event(image)) for _ in range(4)),
        *(record(database, an_event(image), an_event(image)) for _ in range(2)),
    )
    assert await database.value("SELECT count(DISTINCT previous_hash) FROM events") == 7
    assert await first_broken_event(database.engine, image.id) is None


async def test_who_has_saved_an_image_has_its_chain_and_others_wait(database: Database) -> None:
    image = an_image()
    await database.store(image)
    async with database.work() as work:
        await work.images.save(image.with_details(title="New", description=None, now=after(1)))
        other = asyncio.create_task(record(database, an_event(image)))
        assert not (await asyncio.wait([other], timeout=0.2))[0]
        with recorded_statements(database.engine) as statements:
            await work.events.append(an_event(image))
        await work.commit()
    await other

    assert len(statements) == 1
    assert [len(events) for events in database.told] == [0, 1, 1]
    assert await first_broken_event(database.engine, image.id) is None


async def test_recording_nothing_records_nothing(database: Database) -> None:
    await record(database)
    assert database.told == [()]
    assert await database.value("SELECT count(*) FROM events") == 0
