"""Counting how often share links are opened: written together, and right in sum."""

from __future__ import annotations

import asyncio
import logging

import pytest

from gallery.domain.share_links import ShareLink
from gallery.services.link_openings import LinkOpenings
from tests.entities import NOON, a_share_link, after
from tests.fakes.gallery import MemoryGallery

LONG = 3600.0


def put_link(gallery: MemoryGallery) -> ShareLink:
    link, _ = a_share_link()
    gallery.tables.share_links[link.id] = link
    return link


def counted(gallery: MemoryGallery, link: ShareLink) -> tuple[int, object]:
    found = gallery.tables.share_links[link.id]
    return found.open_count, found.last_opened_at


async def test_openings_are_written_together_and_add_up_over_processes(gallery: MemoryGallery) -> None:
    link, other = put_link(gallery), put_link(gallery)
    here, there = (LinkOpenings(gallery.unit_of_work, pause_seconds=LONG) for _ in range(2))
    for minute in range(3):
        here.note(link.id, after(minute))
    here.note(other.id, NOON)
    there.note(link.id, after(1))
    await gallery.everybody_waits()
    assert counted(gallery, link) == (0, None)

    await here.settle()
    await there.settle()

    assert counted(gallery, link) == (4, after(2))
    assert counted(gallery, other) == (1, NOON)
    assert gallery.database.units_opened == 2


async def test_openings_are_written_after_a_while(gallery: MemoryGallery) -> None:
    link = put_link(gallery)
    openings = LinkOpenings(gallery.unit_of_work, pause_seconds=0)

    for _ in range(2):
        openings.note(link.id, NOON)
        await gallery.everybody_waits()

    assert counted(gallery, link) == (2, NOON)
    assert gallery.database.units_opened == 2
    await openings.settle()


async def test_an_opening_is_counted_at_whatever_moment_it_comes(gallery: MemoryGallery) -> None:
    link = put_link(gallery)
    for moment in range(20):
        openings = LinkOpenings(gallery.unit_of_work, pause_seconds=0)
        openings.note(link.id, NOON)
        for _ in range(moment):
            await asyncio.sleep(0)
        openings.note(link.id, NOON)
        await openings.settle()

    assert counted(gallery, link) == (40, NOON)


async def test_without_openings_nothing_is_written(gallery: MemoryGallery) -> None:
    await LinkOpenings(gallery.unit_of_work).settle()

    assert gallery.database.units_opened == 0


async def test_what_could_not_be_written_is_written_later(
    gallery: MemoryGallery, caplog: pytest.LogCaptureFixture
) -> None:
    link = put_link(gallery)
    openings = LinkOpenings(gallery.unit_of_work, pause_seconds=0)
    gallery.database.unavailable = True
    openings.note(link.id, NOON)
    with caplog.at_level(logging.WARNING):
        await gallery.everybody_waits()
    assert "could not be counted" in caplog.text

    openings.note(link.id, after(-1))
    gallery.database.unavailable = False
    await gallery.everybody_waits()

    assert counted(gallery, link) == (2, NOON)
    await openings.settle()


async def test_a_process_that_ends_waits_for_no_database(gallery: MemoryGallery) -> None:
    link = put_link(gallery)
    openings = LinkOpenings(gallery.unit_of_work, pause_seconds=LONG)
    openings.note(link.id, NOON)
    gallery.database.unavailable = True

    await openings.settle()

    assert counted(gallery, link) == (0, None)


async def test_what_waits_is_bounded(gallery: MemoryGallery) -> None:
    link, other = put_link(gallery), put_link(gallery)
    openings = LinkOpenings(gallery.unit_of_work, pause_seconds=LONG, most_links=1)

    for _ in range(2):
        openings.note(link.id, NOON)
        openings.note(other.id, NOON)
    await openings.settle()

    assert (counted(gallery, link)[0], counted(gallery, other)[0]) == (2, 0)
