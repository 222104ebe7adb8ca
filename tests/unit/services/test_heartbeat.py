"""Signs of life."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gallery.domain.ports import UnitOfWork
from gallery.services.heartbeat import Heartbeat
from tests.entities import a_claim, after, an_upload
from tests.fakes.gallery import MemoryGallery


@pytest.fixture
def heartbeat(gallery: MemoryGallery) -> Heartbeat:
    return Heartbeat(gallery.unit_of_work, interval_seconds=0, clock=gallery.clock)


async def test_everything_that_lives_is_touched_in_one_transaction_and_nothing_else(
    gallery: MemoryGallery, heartbeat: Heartbeat
) -> None:
    upload, other, claim = an_upload(), an_upload(), a_claim()
    gallery.tables.uploads |= {upload.id: upload, other.id: other}
    gallery.tables.claims[claim.owner, claim.key] = claim
    now = gallery.clock.advance(minutes=1)

    with heartbeat.uploading(upload.id), heartbeat.working(claim.holder):
        await gallery.everybody_waits()

    assert gallery.tables.uploads == {upload.id: replace(upload, touched_at=now), other.id: other}
    assert gallery.tables.claims == {(claim.owner, claim.key): replace(claim, touched_at=now)}
    assert gallery.heard == []


async def test_a_claim_alone_is_touched(gallery: MemoryGallery, heartbeat: Heartbeat) -> None:
    claim = a_claim()
    gallery.tables.claims[claim.owner, claim.key] = claim
    now = gallery.clock.advance(minutes=1)

    with heartbeat.working(claim.holder):
        await gallery.everybody_waits()

    assert gallery.tables.claims == {(claim.owner, claim.key): replace(claim, touched_at=now)}


async def test_it_stops_with_the_last_that_lives_and_begins_anew(gallery: MemoryGallery, heartbeat: Heartbeat) -> None:
    upload = an_upload()
    gallery.tables.uploads[upload.id] = upload
    with heartbeat.uploading(upload.id):
        pass
    await gallery.everybody_waits()
    assert gallery.database.units_opened == 0

    with heartbeat.uploading(upload.id):
        await gallery.everybody_waits()
    await gallery.everybody_waits()
    stopped = gallery.database.units_opened
    await gallery.everybody_waits()

    assert gallery.database.units_opened == stopped > 0


async def test_it_goes_on_after_the_database_was_gone(
    gallery: MemoryGallery, heartbeat: Heartbeat, caplog: pytest.LogCaptureFixture
) -> None:
    upload = an_upload()
    gallery.tables.uploads[upload.id] = upload
    gallery.database.unavailable = True
    now = gallery.clock.advance(minutes=1)

    with heartbeat.uploading(upload.id):
        await gallery.everybody_waits()
        assert gallery.tables.uploads[upload.id].touched_at == after(0)
        gallery.database.unavailable = False
        await gallery.everybody_waits()

    assert gallery.tables.uploads[upload.id].touched_at == now
    assert set(caplog.messages) == {
        "could not say that uploads go on: The database does not answer at the moment. Try again in a little while."
    }


async def test_it_goes_on_after_anything_else_went_wrong(
    gallery: MemoryGallery, caplog: pytest.LogCaptureFixture
) -> None:
    upload = an_upload()
    gallery.tables.uploads[upload.id] = upload
    now = gallery.clock.advance(minutes=1)
    faults = [RuntimeError("a fault of a driver")]

    def unit_of_work() -> UnitOfWork:
        if faults:
            raise faults.pop()
        return gallery.unit_of_work()

    with Heartbeat(unit_of_work, interval_seconds=0, clock=gallery.clock).uploading(upload.id):
        await gallery.everybody_waits()

    assert gallery.tables.uploads[upload.id].touched_at == now
    assert caplog.messages == ["could not say that uploads go on"]
