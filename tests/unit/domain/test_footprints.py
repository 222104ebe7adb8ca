"""What an answer was read from."""

from __future__ import annotations

import asyncio

import pytest

from gallery.domain import footprints
from gallery.domain.footprints import Footprint, followed, recording


async def told(*tags: str) -> str:
    await asyncio.sleep(0)
    footprints.report(tags)
    return "an answer"


async def untold() -> str:
    await asyncio.sleep(0)
    return "an answer"


async def test_what_is_read_is_recorded_in_tasks_too() -> None:
    with recording() as footprint:
        await asyncio.gather(told("a"), asyncio.create_task(told("b", "c")))

    assert footprint.tags == {"a", "b", "c"}
    assert footprint.is_whole


async def test_requests_do_not_hear_of_each_other() -> None:
    async def request(tag: str) -> Footprint:
        with recording() as footprint:
            await told(tag)
        return footprint

    one, other = await asyncio.gather(request("one"), request("other"))
    assert (one.tags, other.tags) == ({"one"}, {"other"})


def test_outside_of_a_request_nothing_is_recorded() -> None:
    with recording() as footprint:
        pass
    footprints.report(["a"])
    footprints.spoil()

    assert footprint.tags == set()
    assert footprint.is_complete


def test_what_was_made_of_nothing_is_not_whole() -> None:
    assert not Footprint().is_whole


def test_a_report_of_no_tags_is_a_report() -> None:
    footprint = Footprint()
    footprint.add([])
    assert footprint.is_whole


async def test_what_nobody_hears_of_spoils_the_footprint() -> None:
    with recording() as footprint:
        await told("a")
        footprints.spoil()

    assert not footprint.is_whole


async def test_a_read_that_reports_nothing_spoils_the_footprint_whatever_others_report_meanwhile() -> None:
    footprint = Footprint()
    answers = await asyncio.gather(
        followed(footprint, lambda: told("a")), followed(footprint, untold), followed(footprint, lambda: told("b"))
    )

    assert set(answers) == {"an answer"}
    assert footprint.tags == {"a", "b"}
    assert not footprint.is_whole


async def test_a_read_that_fails_fails() -> None:
    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await followed(Footprint(), fail)
