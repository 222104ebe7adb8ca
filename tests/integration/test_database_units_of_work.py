"""Units of work against a real PostgreSQL: what is kept, what is undone, and what happens when two meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from gallery.domain.errors import ConflictError, ErrorCode, NotFoundError, UnavailableError
from gallery.domain.events import Event
from gallery.domain.ids import new_album_id, new_image_id, new_tag_id
from gallery.domain.jobs import RenderImage
from gallery.domain.pages import ImageFilter, PageRequest, TagQuery
from gallery.domain.ports import UnitOfWork
from gallery.domain.waiting import PATIENCE, Patience, Places
from gallery.platform.database.albums import SqlAlbumReader
from gallery.platform.database.engine import create_engine, pool_use
from gallery.platform.database.images import SqlImageReader
from gallery.platform.database.intents import SqlIntentStore
from gallery.platform.database.loans import lending_pool
from gallery.platform.database.tags import SqlTagReader
from gallery.platform.database.unit_of_work import SqlUnitOfWork
from gallery.settings import DatabaseSettings
from tests.entities import ADA, BOB, a_rendition, a_tag, after, an_album, an_event, an_image, an_upload, checksum_of
from tests.integration.database_support import Database, JobNotes, open_database
from tests.statements import recorded_statements


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


async def waiting(database: Database, count: int = 1) -> None:
    """Returns when so many connections of the database wait for a lock."""
    statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(10):
        while await database.value(statement) < count:  # noqa: ASYNC110  # PostgreSQL tells nobody that it waits
            await asyncio.sleep(0.01)


async def image_count(database: Database) -> int:
    return await SqlImageReader(database.engine).count(ADA, ImageFilter())


async def test_a_commit_keeps_everything_and_tells_the_listener_of_the_events(database: Database) -> None:
    image = an_image()
    event = an_event(image)
    async with database.work() as work:
        await work.images.add(image)
        await work.events.append(event)
        await work.jobs.enqueue(RenderImage(image.id))
        assert database.told == []
        await work.commit()
    assert database.told == [(event,)]
    assert await image_count(database) == 1
    assert await database.value("SELECT count(*) FROM events") == 1
    assert await database.value("SELECT count(*) FROM job_notes") == 1


async def test_a_request_that_has_committed_never_gives_up_for_want_of_a_connection(database: Database) -> None:
    patience = Patience(asker="somebody", seconds=1, places=Places(1))
    PATIENCE.set(patience)
    async with database.work() as work:
        await work.images.add(an_image())
        assert not patience.is_endless
    assert not patience.is_endless, "nothing was kept"
    async with database.work() as work:
        await work.images.add(an_image())
        await work.commit()
    assert patience.is_endless


async def test_leaving_without_a_commit_undoes_everything_and_tells_nobody(database: Database) -> None:
    image = an_image()
    async with database.work() as work:
        await work.jobs.enqueue(RenderImage(image.id))  # first of all: the transaction has not begun on its own
        await work.images.add(image)
        await work.events.append(an_event(image))
    assert database.told == []
    assert await image_count(database) == 0
    assert await database.value("SELECT count(*) FROM events") == 0
    assert await database.value("SELECT to_regclass('job_notes')") is None


async def test_an_error_undoes_everything_and_passes(database: Database) -> None:
    async def fail() -> None:
        async with database.work() as work:
            await work.images.add(an_image())
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert (database.told, await image_count(database)) == ([], 0)


async def test_nothing_can_be_written_after_the_commit_or_outside_of_the_block(database: Database) -> None:
    work = database.work()
    with pytest.raises(RuntimeError, match="not open"):
        _ = work.images
    async with work:
        images = work.images
        await work.commit()
        with pytest.raises(RuntimeError, match="not open"):
            _ = work.albums
        with pytest.raises(Exception, match="closed"):
            await images.add(an_image())
        with pytest.raises(RuntimeError, match="not open"):
            await work.commit()
    assert await image_count(database) == 0


async def test_the_listener_is_told_even_if_the_caller_is_cancelled_during_the_commit(database_url: str) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    told: list[Sequence[Event]] = []

    async def listen(events: Sequence[Event]) -> None:
        begun.set()
        await go_on.wait()
        told.append(events)

    engine = create_engine(database_url, DatabaseSettings(pool_size=1))
    image = an_image()
    event = an_event(image)

    async def write() -> None:
        async with SqlUnitOfWork(engine, jobs=JobNotes, on_commit=listen) as work:
            await work.images.add(image)
            await work.events.append(event)
            await work.commit()

    task = asyncio.create_task(write())
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert await SqlImageReader(engine).count(ADA, ImageFilter()) == 1  # its only connection is free again
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told == [(event,)]
    await engine.dispose()


async def test_a_cancelled_caller_leaves_no_transaction_and_no_connection_behind(database: Database) -> None:
    image = an_image()
    await database.store(image)

    async def change() -> None:
        async with database.work() as work:
            await work.images.add(an_image())
            await work.images.get(image.id)

    async with database.work() as work:
        await work.images.get(image.id)
        task = asyncio.create_task(change())
        await waiting(database)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await image_count(database) == 1
    assert await database.value("SELECT count(*) FROM pg_locks WHERE relation = 'images'::regclass") == 0


async def test_a_commit_whose_answer_is_lost_is_unavailable_and_told_since_it_may_have_happened(
    database: Database,
) -> None:
    image = an_image()
    event = an_event(image)
    async with database.work() as work:
        await work.images.add(image)
        await work.events.append(event)
        await database.value(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with pytest.raises(UnavailableError):
            await work.commit()
    assert database.told == [(event,)]
    assert await image_count(database) == 0


async def test_a_transaction_whose_connection_breaks_is_undone_and_the_next_one_has_another(database: Database) -> None:
    image = an_image()
    await database.store(image)
    async with database.work() as work:
        await work.images.save(image.with_details(title="Lost", description=None, now=after(1)))
        await database.value(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with pytest.raises(UnavailableError):
            await work.images.get(image.id)

    async with database.work() as work:
        assert (await work.images.get(image.id)).title == image.title
    assert pool_use(database.engine).in_use == 0


async def test_a_connection_that_is_gone_before_the_transaction_begins_is_unavailable(database: Database) -> None:
    image = an_image()
    await database.store(image)
    async with database.work() as work:
        await database.value(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with pytest.raises(UnavailableError):
            await work.images.get(image.id)  # rendered: it begins the transaction on the driver

    async with database.work() as work:
        assert await work.images.get(image.id) == image
    assert pool_use(database.engine).in_use == 0


async def test_what_a_failed_transaction_has_changed_does_not_reach_the_next_one_on_its_connection(
    database_url: str,
) -> None:
    image = an_image()
    engine = create_engine(database_url, DatabaseSettings(pool_size=1, pool_timeout_seconds=5))
    database = Database(engine)
    await database.store(image)
    async with database.work() as work:
        await work.images.save(image.with_details(title="Undone", description=None, now=after(1)))
        with pytest.raises(NotFoundError):
            await work.images.save(an_image())
    (kept,) = lending_pool(engine).idle

    async with database.work() as work:
        assert (await work.images.get(image.id)).title == image.title
    assert lending_pool(engine).idle == [kept]
    await engine.dispose()


async def test_a_full_pool_is_said_to_be_unavailable(database_url: str) -> None:
    engine = create_engine(database_url, DatabaseSettings(pool_size=1, pool_timeout_seconds=0.05))

    async def listen(_events: Sequence[Event]) -> None:
        pytest.fail("nothing was committed")

    async with SqlUnitOfWork(engine, jobs=JobNotes, on_commit=listen):
        with pytest.raises(UnavailableError):
            async with SqlUnitOfWork(engine, jobs=JobNotes, on_commit=listen):
                pass
        with pytest.raises(UnavailableError):
            await SqlTagReader(engine).count(ADA, None)
    await engine.dispose()


async def test_the_same_bytes_of_one_owner_are_refused_and_nothing_is_kept(database: Database) -> None:
    first = an_image(checksum=checksum_of(b"same"))
    await database.store(first, an_image(owner=BOB.id, checksum=first.checksum))
    with pytest.raises(ConflictError) as refused:
        await database.store(an_image(), an_image(checksum=first.checksum))
    assert refused.value.code is ErrorCode.VERSION_CONFLICT
    assert await image_count(database) == 2
    async with database.work() as work:
        assert await work.images.find_by_checksum(ADA.id, first.checksum) == first
        assert await work.images.find_by_checksum(ADA.id, checksum_of(b"other")) is None


async def test_of_two_who_add_the_same_bytes_at_once_the_second_is_refused(database: Database) -> None:
    first, second = an_image(checksum=checksum_of(b"same")), an_image(checksum=checksum_of(b"same"))
    async with database.work() as work:
        await work.images.add(first)
        other = asyncio.create_task(database.store(second))
        await waiting(database)
        await work.commit()
    with pytest.raises(ConflictError):
        await other
    assert list(await SqlImageReader(database.engine).get_many(ADA, [first.id, second.id])) == [first.id]


async def test_the_bytes_of_a_deleted_image_may_be_added_again(database: Database) -> None:
    image = an_image()
    await database.store(image)
    async with database.work() as work:
        await work.images.save((await work.images.get(image.id)).deleted(after(1)))
        await work.images.add(an_image(checksum=image.checksum))
        await work.commit()
    assert await image_count(database) == 1


async def test_two_who_add_the_same_tags_at_once_in_another_order_get_the_same_ones(database: Database) -> None:
    ours, theirs = [a_tag("sea"), a_tag("Sky")], [a_tag("SKY"), a_tag("Sea"), a_tag("sun")]

    async def add_theirs() -> dict[str, object]:
        async with database.work() as work:
            stored = await work.tags.add_missing(theirs)
            await work.commit()
        return dict(stored)

    async with database.work() as work:
        assert await work.tags.add_missing(ours) == {"sea": ours[0], "sky": ours[1]}
        other = asyncio.create_task(add_theirs())
        await waiting(database)
        await work.commit()
    assert await other == {"sea": ours[0], "sky": ours[1], "sun": theirs[2]}
    assert await SqlTagReader(database.engine).count(ADA, None) == 3


async def test_tags_of_a_transaction_that_was_undone_are_added_by_the_one_that_waited(database: Database) -> None:
    ours, theirs = a_tag("sea"), a_tag("Sea")
    async with database.work() as work:
        await work.tags.add_missing([ours])
        other = asyncio.create_task(database.store(tags={"Sea": []}))
        await waiting(database)
    await other
    (tag,) = (await SqlTagReader(database.engine).list_page(ADA, TagQuery())).items
    assert tag.id not in {ours.id, theirs.id}
    assert tag.name == "Sea"


async def test_a_tag_that_somebody_uses_is_deleted_only_afterwards_and_with_its_uses(database: Database) -> None:
    image, tag = an_image(), a_tag("sea")
    await database.store(image)
    async with database.work() as work:
        await work.tags.add_missing([tag])
        await work.commit()

    async def delete() -> tuple[object, ...]:
        async with database.work() as work:
            await work.tags.get(tag.id)
            taken_from = await work.tags.delete(tag.id)
            await work.commit()
        return taken_from

    async with database.work() as work:
        await work.tags.add_missing([a_tag("Sea")])
        other = asyncio.create_task(delete())
        await waiting(database)
        assert await work.tags.attach([image.id], [tag.id]) == {(image.id, tag.id)}
        await work.commit()
    assert await other == (image.id,)
    assert await database.value("SELECT count(*) FROM image_tags") == 0


async def test_pairs_of_images_and_tags_are_answered_when_they_are_new_or_go(database: Database) -> None:
    first, second = an_image(uploaded_at=after(1)), an_image(uploaded_at=after(2))
    sea, sky = a_tag("sea"), a_tag("sky")
    await database.store(first, second)
    async with database.work() as work:
        await work.tags.add_missing([sea, sky])
        assert await work.tags.attach([first.id], [sea.id]) == {(first.id, sea.id)}
        assert await work.tags.attach([second.id, first.id], [sky.id, sea.id]) == {
            (first.id, sky.id),
            (second.id, sea.id),
            (second.id, sky.id),
        }
        assert await work.tags.attach([first.id], [sea.id, sky.id]) == set()
        assert await work.tags.detach([first.id, new_image_id()], [sea.id, new_tag_id()]) == {(first.id, sea.id)}
        assert await work.tags.detach([first.id], [sea.id]) == set()
        assert await work.tags.find_by_names(["SEA", "nothing"]) == {"sea": sea}
        assert sorted(await work.tags.delete(sky.id)) == sorted([first.id, second.id])
        await work.commit()
    found = await SqlTagReader(database.engine).by_image(ADA, [first.id, second.id])
    assert found == {second.id: (sea,)}


async def test_an_album_takes_images_at_its_end_and_answers_with_the_new_ones(database: Database) -> None:
    images = [an_image() for _ in range(5)]
    first, second, third, fourth, fifth = (image.id for image in images)
    album = an_album()
    await database.store(*images)
    async with database.work() as work:
        await work.albums.add(album)
        assert await work.albums.append(album.id, [third, first]) == (third, first)
        assert await work.albums.append(album.id, [second, third, fifth, second]) == (second, fifth)
        assert await work.albums.remove(album.id, [fourth, second, third]) == (second, third)
        assert await work.albums.append(album.id, [third]) == (third,)
        assert await work.albums.members(album.id, [first, second, new_image_id()]) == {first}
        assert await work.albums.holding([first, third]) == (album.id,)
        assert await work.albums.holding([second]) == ()
        await work.commit()
    page = (await SqlImageReader(database.engine).pages_by_album(ADA, [album.id], PageRequest()))[album.id]
    assert [image.id for image in page.items] == [first, fifth, third]
    async with database.work() as work:
        assert await work.albums.delete(album.id) == (first, fifth, third)
        await work.commit()
    assert await SqlAlbumReader(database.engine).get_many(ADA, [album.id]) == {}
    assert await image_count(database) == 5


async def test_two_who_append_to_an_album_at_once_follow_each_other(database: Database) -> None:
    first, second, album = an_image(), an_image(), an_album()
    await database.store(first, second, albums={album: []})

    async def append() -> None:
        async with database.work() as work:
            await work.albums.get(album.id)
            await work.albums.append(album.id, [second.id])
            await work.commit()

    async with database.work() as work:
        await work.albums.get(album.id)
        other = asyncio.create_task(append())
        await waiting(database)
        await work.albums.append(album.id, [first.id])
        await work.commit()
    await other
    page = (await SqlImageReader(database.engine).pages_by_album(ADA, [album.id], PageRequest()))[album.id]
    assert page.items == (first, second)


IMAGE, GONE, ALBUM = an_image(), an_image(), an_album()


@pytest.mark.parametrize(
    ("act", "what"),
    [
        (lambda work: work.images.get(GONE.id), "image"),
        (lambda work: work.images.save(GONE), "image"),
        (lambda work: work.images.replace_renditions(GONE.id, [a_rendition(GONE)]), "image"),
        (lambda work: work.tags.get(new_tag_id()), "tag"),
        (lambda work: work.tags.attach([IMAGE.id], [new_tag_id()]), "tag"),
        (lambda work: work.tags.attach([IMAGE.id, GONE.id], []), "image"),
        (lambda work: work.albums.get(new_album_id()), "album"),
        (lambda work: work.albums.save(an_album()), "album"),
        (lambda work: work.albums.save(replace(ALBUM, cover_id=GONE.id)), "image"),
        (lambda work: work.albums.append(new_album_id(), [IMAGE.id]), "album"),
        (lambda work: work.albums.append(ALBUM.id, [IMAGE.id, GONE.id]), "image"),
    ],
)
async def test_what_is_not_there_is_said_to_be_missing(
    database: Database, act: Callable[[UnitOfWork], Awaitable[object]], what: str
) -> None:
    await database.store(IMAGE, albums={ALBUM: []})
    async with database.work() as work:
        with pytest.raises(NotFoundError, match=f"There is no such {what}"):
            await act(work)


async def test_an_image_that_is_being_deleted_gets_no_tag_and_enters_no_album(database: Database) -> None:
    image, tag, album = an_image(), a_tag("sea"), an_album()
    await database.store(image, albums={album: []})
    async with database.work() as work:
        await work.tags.add_missing([tag])
        await work.commit()

    async def attach() -> None:
        async with database.work() as work:
            await work.tags.attach([image.id], [tag.id])
            await work.commit()

    async def append() -> None:
        async with database.work() as work:
            await work.albums.append(album.id, [image.id])
            await work.commit()

    async with database.work() as work:
        await work.images.save((await work.images.get(image.id)).deleted(after(1)))
        others = [asyncio.create_task(attach()), asyncio.create_task(append())]
        await waiting(database, 2)
        await work.commit()
    for other in others:
        with pytest.raises(NotFoundError):
            await other
    assert await database.value("SELECT count(*) FROM image_tags") == 0
    assert await database.value("SELECT count(*) FROM album_images") == 0


async def test_images_are_locked_in_the_order_of_their_ids_so_that_nobody_crosses(database: Database) -> None:
    small, large = sorted((an_image(), an_image()), key=lambda image: image.id)
    await database.store(large)  # as a table is read, it would come first
    await database.store(small)

    async def lock_both() -> None:
        async with database.work() as work:
            assert list(await work.images.get_many([large.id, small.id])) == [small.id, large.id]

    async with database.work() as work:
        await work.images.get(small.id)
        other = asyncio.create_task(lock_both())
        await waiting(database)
        assert await work.images.get(large.id) == large
    await other


async def test_a_locked_image_is_read_and_referred_to_but_not_changed(database: Database) -> None:
    image, album = an_image(), an_album()
    await database.store(image, albums={album: [image]})

    async def rename() -> None:
        async with database.work() as work:
            found = await work.images.get(image.id)
            await work.images.save(found.with_details(title="Second", description=None, now=after(2)))
            await work.commit()

    async with database.work() as work:
        found = await work.images.get(image.id)
        other = asyncio.create_task(rename())
        await waiting(database)
        assert await SqlImageReader(database.engine).get_many(ADA, [image.id]) == {image.id: image}
        async with database.work() as another:
            await another.albums.save(album.with_details(title="x", description=None, cover_id=image.id, now=after(1)))
            await another.commit()
        await work.images.save(found.with_details(title="First", description=None, now=after(1)))
        await work.commit()
    await other
    stored = (await SqlImageReader(database.engine).get_many(ADA, [image.id]))[image.id]
    assert (stored.title, stored.version) == ("Second", 3)


@pytest.mark.parametrize("durable", [True, False])
async def test_only_a_durable_commit_waits_for_the_disk(database: Database, durable: bool) -> None:
    with recorded_statements(database.engine) as statements:
        async with database.work() as work:
            await work.images.add(an_image())
            await work.commit(durable=durable)

    assert ("SET LOCAL synchronous_commit = off" in statements) is not durable
    assert await image_count(database) == 1


async def test_an_intent_is_stored_in_one_trip_that_does_not_wait_for_the_disk(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE seen (setting text)")
        await connection.exec_driver_sql(
            "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$"
        )
        # Deferred to the commit, which is when the setting counts.
        await connection.exec_driver_sql(
            "CREATE CONSTRAINT TRIGGER see AFTER INSERT ON uploads"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION see()"
        )
    upload = an_upload()

    with recorded_statements(database.engine) as statements:
        await SqlIntentStore(database.engine).add(upload)

    assert len(statements) == 1
    async with database.engine.begin() as connection:
        assert (await connection.exec_driver_sql("SELECT setting FROM seen")).all() == [("off",)]
        assert (await connection.exec_driver_sql("SHOW synchronous_commit")).all() == [("on",)]
    async with database.work() as work:
        assert await work.uploads.get(upload.owner, upload.id) == upload
